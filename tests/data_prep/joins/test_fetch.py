"""Fetching contents from a bucket: a local server stands for it."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread

import pytest

from data_prep.errors import DataError
from data_prep.joins.contents import read_content
from data_prep.joins.fetch import FetchReport, fetch_contents
from tests.data_prep.sources.layout import blob_id

CONTENTS = [f"file {number}\n".encode() * 20 for number in range(120)]
IDS = [blob_id(content) for content in CONTENTS]


class Bucket(ThreadingHTTPServer):
    """Objects by id, as a bucket holds them; `failures` fail that many times before they are served."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects = {name: gzip.compress(content) for name, content in zip(IDS, CONTENTS, strict=True)}
        self.failures: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.connections = 0
        self.lock = Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/content"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bucket

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def do_GET(self) -> None:
        name = self.path.removeprefix("/content/")
        with self.server.lock:
            self.server.asked[name] += 1
            fails = self.server.failures[name] >= self.server.asked[name]
        body = self.server.objects.get(name, b"<Error/>")
        self.send_response(503 if fails else 200 if name in self.server.objects else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Bucket()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(bucket: Bucket, folder: Path, ids: list[str] | None = None, connections: int = 8) -> FetchReport:
    return fetch_contents(ids or IDS, folder, bucket.url, connections=connections, first_wait=0.001)


def test_every_content_is_fetched_once_over_few_connections_and_read_back(bucket: Bucket, tmp_path: Path) -> None:
    report = fetch(bucket, tmp_path)
    assert (report.fetched, report.there, report.absent, report.damaged) == (120, 0, [], [])
    assert report.bytes == sum(map(len, bucket.objects.values()))
    assert [read_content(tmp_path, name) for name in IDS] == CONTENTS
    assert set(bucket.asked.values()) == {1}
    assert bucket.connections <= 8


def test_a_second_run_fetches_only_what_is_missing(bucket: Bucket, tmp_path: Path) -> None:
    fetch(bucket, tmp_path, IDS[:100])
    (tmp_path / IDS[3][:2] / f"{IDS[3]}.gz").unlink()
    (tmp_path / IDS[4][:2] / f"{IDS[4]}.gz").write_bytes(b"")  # as a power loss leaves it
    report = fetch(bucket, tmp_path)
    assert (report.fetched, report.there) == (22, 98)
    assert sorted(name for name, times in bucket.asked.items() if times > 1) == sorted(IDS[3:5])


def test_a_failed_request_is_tried_again(bucket: Bucket, tmp_path: Path) -> None:
    bucket.failures.update({IDS[0]: 3, IDS[1]: 1})
    assert fetch(bucket, tmp_path).fetched == 120
    assert (bucket.asked[IDS[0]], bucket.asked[IDS[1]]) == (4, 2)


def test_a_bucket_that_goes_on_failing_is_an_error_and_what_was_fetched_stays(bucket: Bucket, tmp_path: Path) -> None:
    bucket.failures[IDS[60]] = 100
    with pytest.raises(DataError, match=rf"{IDS[60]}: can't be fetched .HTTP 503.*run again"):
        fetch(bucket, tmp_path)
    assert read_content(tmp_path, IDS[0]) == CONTENTS[0]
    bucket.failures.clear()
    assert fetch(bucket, tmp_path).there >= 60


def test_absent_and_damaged_objects_are_listed_and_not_written(bucket: Bucket, tmp_path: Path) -> None:
    del bucket.objects[IDS[1]]
    bucket.objects[IDS[2]] = gzip.compress(b"something else")
    report = fetch(bucket, tmp_path)
    assert (report.absent, report.damaged, report.fetched) == ([IDS[1]], [IDS[2]], 118)
    assert read_content(tmp_path, IDS[1]) is None
    assert read_content(tmp_path, IDS[2]) is None
    assert not list(tmp_path.rglob("*.tmp"))


def test_an_object_that_is_not_packed_is_packed(bucket: Bucket, tmp_path: Path) -> None:
    bucket.objects[IDS[0]] = CONTENTS[0]
    fetch(bucket, tmp_path, IDS[:1])
    assert gzip.decompress((tmp_path / IDS[0][:2] / f"{IDS[0]}.gz").read_bytes()) == CONTENTS[0]


def test_ids_are_taken_from_a_stream_as_they_are_needed(bucket: Bucket, tmp_path: Path) -> None:
    taken = 0

    def stream() -> Iterator[str]:
        nonlocal taken
        for name in IDS:
            taken += 1
            yield name

    bucket.failures[IDS[0]] = 100
    with pytest.raises(DataError):
        fetch_contents(stream(), tmp_path, bucket.url, connections=2, first_wait=0.001)
    assert taken <= 9


def test_a_bucket_that_can_not_be_reached_is_an_error(bucket: Bucket, tmp_path: Path) -> None:
    url = bucket.url.replace(str(bucket.server_port), "1")
    with pytest.raises(DataError, match=r"can't be fetched .ConnectionRefusedError"):
        fetch_contents(IDS[:1], tmp_path, url, first_wait=0.001)
