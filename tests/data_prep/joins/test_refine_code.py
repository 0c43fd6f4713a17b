"""Blob ids for RefineCode's metadata from the Stack v2's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from data_prep.errors import DataError, UsageError
from data_prep.joins.refine_code import resolve_blob_ids
from tests.data_prep.sources.layout import write_rows

pytest.importorskip("duckdb")


def meta(repository: str, path: str, language: str = "python") -> dict[str, Any]:
    return {"repo_name": repository, "sub_path": path, "program_lang": language, "lang": "en", "doc_type": "code"}


def stack(repository: str, path: str, blob: str) -> dict[str, Any]:
    return {"repo_name": repository, "path": path, "blob_id": blob * 40, "src_encoding": "UTF-8", "length_bytes": 3}


def resolved(source: Path) -> list[dict[str, Any]]:
    rows = [row for file in sorted((source / "resolved").glob("*.parquet")) for row in pq.read_table(file).to_pylist()]
    return sorted(rows, key=lambda row: (row["repo_name"], row["path"]))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    source, other = tmp_path / "refine_code", tmp_path / "the-stack-v2"
    write_rows(
        source / "data" / "a.parquet", [meta("o/r", "a.py"), meta("o/r", "src/b.c", "c"), meta("o/r", "gone.py")]
    )
    write_rows(source / "data" / "b.parquet", [meta("p/q", "/a.py"), meta("p/q", "/a.py"), meta("none", "a.py")])
    write_rows(other / "data" / "Python" / "1.parquet", [stack("o/r", "/a.py", "1"), stack("p/q", "/a.py", "3")])
    write_rows(other / "data" / "C" / "1.parquet", [stack("o/r", "/src/b.c", "2"), stack("x/y", "/a.py", "4")])
    return source, other


def test_files_get_the_blob_id_of_their_repository_and_path(folders: tuple[Path, Path]) -> None:
    source, other = folders
    report = resolve_blob_ids(source, other, memory="500MB", threads=1)
    assert [(row["repo_name"], row["path"], row["program_lang"], row["blob_id"][0]) for row in resolved(source)] == [
        ("o/r", "/a.py", "python", "1"),
        ("o/r", "/src/b.c", "c", "2"),
        ("p/q", "/a.py", "python", "3"),
    ]
    assert set(resolved(source)[0]) == {"repo_name", "path", "program_lang", "blob_id", "src_encoding"}
    assert (report.rows, report.found, report.share) == (5, 3, 0.6)
    assert sorted(path.name for path in source.iterdir()) == ["data", "resolved"]


def test_a_second_run_replaces_the_first_and_does_not_read_it(folders: tuple[Path, Path]) -> None:
    source, other = folders
    resolve_blob_ids(source, other, memory="500MB")
    first = resolved(source)
    assert resolve_blob_ids(source, other, memory="500MB").found == 3
    assert resolved(source) == first


def test_the_stacks_metadata_may_lie_in_the_sources_lookup(folders: tuple[Path, Path]) -> None:
    source, other = folders
    (source / "lookup").mkdir()
    other.rename(source / "lookup" / "the-stack-v2")
    assert resolve_blob_ids(source, source / "lookup" / "the-stack-v2", memory="500MB").found == 3


def test_missing_damaged_and_wrong_files_are_errors_that_leave_no_result(folders: tuple[Path, Path]) -> None:
    source, other = folders
    with pytest.raises(DataError, match=r"nowhere: no Parquet file"):
        resolve_blob_ids(source, source / "nowhere")
    with pytest.raises(DataError, match="can't be joined"):
        resolve_blob_ids(other, source)
    (other / "data" / "C" / "1.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"can't be joined.*1.parquet"):
        resolve_blob_ids(source, other)
    assert sorted(path.name for path in source.iterdir()) == ["data"]


def test_without_duckdb_the_error_says_what_to_install(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(UsageError, match=r"needs duckdb.*prism-megatron\[joins\].*refine_code_open"):
        resolve_blob_ids(*folders)
