"""From the hub to a disk: what is pinned, recorded, kept, refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from data_prep.errors import DataError, DiskFull
from data_prep.fetch import FetchRequest, fetch_source, plan_source
from tests.data_prep.fetch.mini_hub import MiniHub

FILES = {
    "README.md": b"about",
    "data/a.parquet": bytes(range(256)) * 400,
    "data/b.parquet": b"b" * 1_000,
    "data/empty.jsonl": b"",
    "notes/c.jsonl": b'{"text": "c"}\n',
    ".gitattributes": b"*.parquet filter=lfs",
}
SET = FetchRequest("set", "acme/set", licence="ODC-BY", licence_url="https://example.org/odc-by")


def quiet(_: str) -> None:
    pass


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in files if not path.name.startswith(".fetch")
    }


def record(folder: Path) -> dict[str, object]:
    return json.loads((folder / ".fetched.json").read_text())  # type: ignore[no-any-return]


def test_every_file_comes_whole_and_the_record_says_what_came(hub: MiniHub, tmp_path: Path) -> None:
    commit = hub.add("acme/set", FILES)
    report = fetch_source(SET, tmp_path, log=quiet)
    visible = {path: content for path, content in FILES.items() if not path.startswith(".")}
    assert contents(tmp_path / "set") == visible
    found = record(tmp_path / "set")
    assert (found["commit"], found["revision"], found["licence"]) == (commit, "main", "ODC-BY")
    assert found["finished"]
    assert {(file["path"], file["size"], file["sha256"]) for file in found["files"]} == {  # type: ignore[attr-defined]
        (path, len(content), hashlib.sha256(content).hexdigest()) for path, content in visible.items()
    }
    assert report.moved == report.bytes == sum(map(len, visible.values()))
    assert not (tmp_path / "set" / ".fetch").exists()


def test_only_the_files_of_the_patterns_come(hub: MiniHub, tmp_path: Path) -> None:
    hub.add("acme/set", FILES)
    request = FetchRequest("set", "acme/set", patterns=("data/*.parquet",))
    fetch_source(request, tmp_path, log=quiet)
    assert set(contents(tmp_path / "set")) == {"data/a.parquet", "data/b.parquet"}
    with pytest.raises(DataError, match=r"none of its 6 files fits \*\.csv"):
        fetch_source(FetchRequest("other", "acme/set", patterns=("*.csv",)), tmp_path, log=quiet)


def test_what_is_complete_is_not_asked_for_again_though_the_branch_moved(hub: MiniHub, tmp_path: Path) -> None:
    commit = hub.add("acme/set", FILES)
    fetch_source(SET, tmp_path, log=quiet)
    hub.add("acme/set", {"data/new.parquet": b"new"})
    hub.requests.clear()
    lines: list[str] = []
    report = fetch_source(SET, tmp_path, log=lines.append)
    assert (report.already, report.commit, report.moved) == (True, commit, 0)
    assert "fetched already" in lines[0]
    assert hub.requests == []


def test_a_file_that_went_missing_comes_back_at_the_recorded_commit(hub: MiniHub, tmp_path: Path) -> None:
    commit = hub.add("acme/set", FILES)
    fetch_source(SET, tmp_path, log=quiet)
    hub.add("acme/set", {"data/new.parquet": b"new"})
    (tmp_path / "set/data/b.parquet").unlink()
    report = fetch_source(SET, tmp_path, log=quiet)
    assert (report.commit, report.moved) == (commit, 1_000)
    assert (tmp_path / "set/data/b.parquet").read_bytes() == FILES["data/b.parquet"]


def test_another_revision_replaces_the_files_of_the_first(hub: MiniHub, tmp_path: Path) -> None:
    hub.add("acme/set", FILES)
    fetch_source(SET, tmp_path, log=quiet)
    mine = tmp_path / "set" / "mine.jsonl"
    mine.write_text("{}")
    second = {"data/a.parquet": bytes(reversed(FILES["data/a.parquet"])), "data/b.parquet": FILES["data/b.parquet"]}
    commit = hub.add("acme/set", second, branch="v2")
    hub.requests.clear()
    report = fetch_source(FetchRequest("set", "acme/set", revision="v2"), tmp_path, log=quiet)
    assert contents(tmp_path / "set") == {**second, "mine.jsonl": b"{}"}
    assert (report.commit, report.moved) == (commit, len(second["data/a.parquet"]))
    assert hub.downloads("data/b.parquet") == []


def test_a_commit_is_fetched_as_asked_and_one_that_the_hub_lacks_is_refused(hub: MiniHub, tmp_path: Path) -> None:
    first = hub.add("acme/set", FILES)
    hub.add("acme/set", {"data/new.parquet": b"new"})
    report = fetch_source(FetchRequest("set", "acme/set", revision=first), tmp_path, log=quiet)
    assert report.commit == first
    with pytest.raises(DataError, match="no revision '0000"):
        fetch_source(FetchRequest("set", "acme/set", revision="0" * 40), tmp_path, log=quiet)
    hub.repositories["acme/set"].refs["a" * 40] = first  # a mirror that answers with what it has
    with pytest.raises(DataError, match=f"asked for commit a+, the hub gives {first}"):
        fetch_source(FetchRequest("set", "acme/set", revision="a" * 40), tmp_path, log=quiet)


def test_a_data_set_that_is_not_there_is_named(hub: MiniHub, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"set \(http://127.0.0.1:\d+/datasets/acme/none\): not on the hub"):
        fetch_source(FetchRequest("set", "acme/none"), tmp_path, log=quiet)


@pytest.mark.parametrize("path", ["data/a.parquet", "notes/c.jsonl"])
def test_bytes_that_are_not_those_of_the_listing_are_refused(hub: MiniHub, path: str, tmp_path: Path) -> None:
    hub.add("acme/set", FILES)
    hub.served_instead[path] = b"?" * len(FILES[path])
    with pytest.raises(DataError, match=f"{path} came with SHA-256"):
        fetch_source(SET, tmp_path, log=quiet)
    assert path not in contents(tmp_path / "set")
    assert not (tmp_path / "set/.fetched.json").exists()
    hub.served_instead.clear()
    fetch_source(SET, tmp_path, log=quiet)
    assert contents(tmp_path / "set")[path] == FILES[path]


def test_files_that_are_there_without_a_record_are_judged_by_their_hash(hub: MiniHub, tmp_path: Path) -> None:
    hub.add("acme/set", FILES)
    (tmp_path / "set/data").mkdir(parents=True)
    (tmp_path / "set/data/a.parquet").write_bytes(FILES["data/a.parquet"])
    (tmp_path / "set/data/b.parquet").write_bytes(b"x" * 1_000)
    fetch_source(SET, tmp_path, log=quiet)
    assert hub.downloads("data/a.parquet") == []
    assert (tmp_path / "set/data/b.parquet").read_bytes() == FILES["data/b.parquet"]


def test_what_does_not_fit_on_the_disk_is_refused_before_a_byte_comes(hub: MiniHub, tmp_path: Path) -> None:
    files = {f"{number:04}.jsonl": b"{}" for number in range(2_000)}
    hub.add("acme/set", files)
    hub.listed_sizes = dict.fromkeys(files, 49_000_000_000)
    hub.page = len(files)
    with pytest.raises(DiskFull, match=r"98\.0 TB to write, .* free") as caught:
        fetch_source(SET, tmp_path, log=quiet)
    assert caught.value.exit_code == 5
    assert not any("/resolve/" in asked.path for asked in hub.requests)


def test_a_file_that_the_hub_does_not_serve_over_http_is_named(hub: MiniHub, tmp_path: Path) -> None:
    hub.add("acme/set", FILES)
    hub.listed_sizes["data/a.parquet"] = 51_000_000_000
    with pytest.raises(DataError, match=r"data/a\.parquet has 51 GB, more than the hub serves over HTTP"):
        fetch_source(SET, tmp_path, log=quiet)


def test_a_name_that_leads_out_of_the_folder_is_refused(hub: MiniHub, tmp_path: Path) -> None:
    hub.add("acme/set", {"data/../../../out.jsonl": b"{}"})
    with pytest.raises(DataError, match="isn't a path inside the set"):
        fetch_source(SET, tmp_path / "below", log=quiet)
    assert list(tmp_path.rglob("out.jsonl")) == []


def test_a_plan_says_what_is_missing_and_writes_nothing(hub: MiniHub, tmp_path: Path) -> None:
    commit = hub.add("acme/set", FILES)
    plan = plan_source(SET, tmp_path)
    assert (plan.commit, plan.files, plan.bytes, plan.missing_bytes) == (commit, 5, 103_419, 103_419)
    assert list(tmp_path.iterdir()) == []
    fetch_source(SET, tmp_path, log=quiet)
    assert plan_source(SET, tmp_path).missing_bytes == 0


def test_progress_goes_up_to_all_bytes(hub: MiniHub, tmp_path: Path) -> None:
    hub.add("acme/set", FILES)
    seen: list[tuple[int, int]] = []
    fetch_source(SET, tmp_path, log=quiet, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (103_419, 103_419)
