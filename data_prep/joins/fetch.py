"""Brings files of Software Heritage from its public bucket, many at a time; what is there isn't brought again."""

from __future__ import annotations

import gzip
import http.client
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from data_prep.errors import DataError
from data_prep.joins.contents import content_path, unpack

BUCKET = "https://softwareheritage.s3.amazonaws.com/content"
"""Public, read without an account: docs of the Stack v2, `s3://softwareheritage/content/<blob_id>`."""

_ABSENT = (403, 404)
"""What S3 answers for a key that it hasn't got."""

_ATTEMPTS = 5


@dataclass
class FetchReport:
    """Files by what became of them; `absent` and `damaged` list those that there is no content of."""

    fetched: int = 0
    there: int = 0
    bytes: int = 0
    absent: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def fetch_contents(
    ids: Iterable[str],
    folder: Path,
    base_url: str = BUCKET,
    *,
    connections: int = 32,
    first_wait: float = 0.5,
    progress: Callable[[FetchReport], None] | None = None,
) -> FetchReport:
    """Fetches `base_url`/<blob_id> to `folder` (the lookup's `content`), each checked against its id.

    Ids may come from a stream of any length. A file is whole or absent; a second run fetches what is missing.

    Args:
        connections: Files that are fetched at a time.
        first_wait: Seconds before a failed request is tried again; doubled each time.
        progress: Called about every 1,000 files.

    Raises:
        DataError: the bucket can't be reached, or goes on failing.
    """
    report = FetchReport()
    bucket = _Bucket(base_url, first_wait)
    with ThreadPoolExecutor(connections) as pool:
        work = _unordered(pool, lambda blob_id: _fetch_one(bucket, folder, blob_id), iter(ids), 4 * connections)
        for number, (blob_id, (outcome, size)) in enumerate(work, start=1):
            _count(report, blob_id, outcome, size)
            if progress is not None and number % 1_000 == 0:
                progress(report)
    return report


def _count(report: FetchReport, blob_id: str, outcome: str, size: int) -> None:
    report.bytes += size
    if outcome == "absent":
        report.absent.append(blob_id)
    elif outcome == "damaged":
        report.damaged.append(blob_id)
    elif outcome == "there":
        report.there += 1
    else:
        report.fetched += 1


_Outcome = tuple[str, int]


def _unordered(
    pool: ThreadPoolExecutor, fetch: Callable[[str], _Outcome], ids: Iterator[str], ahead: int
) -> Iterator[tuple[str, _Outcome]]:
    """Results of a bounded number of ids under way; on an error, those not begun are left out."""
    waiting: deque[tuple[str, Future[_Outcome]]] = deque()
    try:
        for blob_id in islice(ids, ahead):
            waiting.append((blob_id, pool.submit(fetch, blob_id)))
        while waiting:
            blob_id, future = waiting.popleft()
            yield blob_id, future.result()
            for following in islice(ids, 1):
                waiting.append((following, pool.submit(fetch, following)))
    finally:
        for _, future in waiting:
            future.cancel()


def _fetch_one(bucket: _Bucket, folder: Path, blob_id: str) -> _Outcome:
    path = content_path(folder, blob_id)
    if _has_content(path):
        return "there", 0
    stored = bucket.get(blob_id)
    if stored is None:
        return "absent", 0
    content = unpack(stored, blob_id)
    if content is None:
        return "damaged", 0
    packed = stored if content is not stored else gzip.compress(content, mtime=0)
    _write(path, packed)
    return "fetched", len(packed)


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _write(path: Path, content: bytes) -> None:
    """Whole or absent. Not synced, which would cost more than the fetch: readers check each file against its id."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


class _Bucket:
    """A connection a thread, kept open; failed requests are tried again."""

    def __init__(self, base_url: str, first_wait: float) -> None:
        self._url = base_url.rstrip("/")
        self._parts = urlsplit(self._url)
        self._wait = first_wait
        self._thread = threading.local()

    def get(self, blob_id: str) -> bytes | None:
        """The object's bytes, or None when the bucket hasn't got it."""
        failures: Counter[str] = Counter()
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(self._wait * 2 ** (attempt - 1))
            try:
                status, content = self._request(blob_id)
            except (OSError, http.client.HTTPException) as error:
                self._close()
                failures[f"{type(error).__name__}: {error}"] += 1
                continue
            if status == 200:
                return content
            if status in _ABSENT:
                return None
            failures[f"HTTP {status}"] += 1
        raise DataError(
            f"can't be fetched ({', '.join(failures)})",
            place=f"{self._url}/{blob_id}",
            remedy="check the network, then run again: what was fetched is kept",
        )

    def _request(self, blob_id: str) -> tuple[int, bytes]:
        connection: http.client.HTTPConnection | None = getattr(self._thread, "connection", None)
        if connection is None:
            connection = self._thread.connection = self._connect()
        connection.request("GET", f"{self._parts.path}/{blob_id}", headers={"Accept-Encoding": "identity"})
        response = connection.getresponse()
        return response.status, response.read()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = str(self._parts.hostname), self._parts.port
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        proxy = getproxies().get(self._parts.scheme)
        if not proxy or proxy_bypass(host):
            return kind(host, port, timeout=60)
        through = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        connection = kind(str(through.hostname), through.port, timeout=60)
        connection.set_tunnel(host, port)
        return connection

    def _close(self) -> None:
        connection: http.client.HTTPConnection | None = getattr(self._thread, "connection", None)
        if connection is not None:
            connection.close()
            self._thread.connection = None
