"""Files of Software Heritage: contents by blob_id, a row a file."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_prep.errors import DataError
from data_prep.joins import Join, open_join
from data_prep.joins.contents import content_ids
from data_prep.schema import JoinConfig
from tests.data_prep.sources.layout import blob_id
from tests.data_prep.sources.samples import ABSENT, BINARY, HELLO, LATIN, stored

STORE: dict[str, Callable[[Path, str, bytes], None]] = {
    "plain": lambda folder, name, content: write(folder / name, content),
    "gzip named so": lambda folder, name, content: write(folder / f"{name}.gz", gzip.compress(content)),
    "gzip under the plain name": lambda folder, name, content: write(folder / name, gzip.compress(content)),
    "in folders": lambda folder, name, content: write(folder / name[:2] / f"{name}.gz", gzip.compress(content)),
}


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def join(source: Path, kind: str = "software_heritage") -> Join:
    return open_join(JoinConfig(kind=kind), source)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", STORE)
def test_a_content_is_found_however_it_is_stored(way: str, tmp_path: Path) -> None:
    STORE[way](tmp_path / "lookup" / "content", blob_id(HELLO), HELLO)
    assert [row["content"] for row in join(tmp_path)({"files": [stored(HELLO, "/a.py")]})] == [HELLO.decode()]


def test_a_repository_gives_a_row_a_file_with_the_columns_of_both(tmp_path: Path) -> None:
    for content in (HELLO, LATIN):
        STORE["plain"](tmp_path / "lookup" / "content", blob_id(content), content)
    files = [stored(HELLO, "/a.py"), stored(LATIN, "/b.py", "ISO-8859-1")]
    rows = list(join(tmp_path)({"repo_name": "o/r", "files": files}))
    assert [(row["repo_name"], row["path"], row["content"]) for row in rows] == [
        ("o/r", "/a.py", "print('hello')\n"),
        ("o/r", "/b.py", "café"),
    ]
    assert all("files" not in row for row in rows)


def test_files_without_content_or_that_are_no_text_are_counted(tmp_path: Path) -> None:
    STORE["plain"](tmp_path / "lookup" / "content", blob_id(BINARY), BINARY)
    files = [stored(ABSENT, "/a"), stored(BINARY, "/b"), stored(BINARY, "/c", "no-such-encoding")]
    opened = join(tmp_path)
    assert list(opened({"files": files})) == []
    assert opened.missing == {"the file's content isn't there": 1, "the file isn't text in its src_encoding": 2}


def test_a_row_of_a_file_and_inline_content_need_no_repository(tmp_path: Path) -> None:
    STORE["plain"](tmp_path / "lookup" / "content", blob_id(HELLO), HELLO)
    assert [row["content"] for row in join(tmp_path)(stored(HELLO, "/a"))] == [HELLO.decode()]
    assert [row["content"] for row in join(tmp_path)({"files": [{"content": "a"}, {"content": "b"}]})] == ["a", "b"]


@pytest.mark.parametrize(
    "damage", [b"", b"other text", gzip.compress(b"other text", mtime=0), gzip.compress(HELLO, mtime=0)[:-9]]
)
def test_a_content_that_is_not_what_its_id_names_is_an_error(damage: bytes, tmp_path: Path) -> None:
    write(tmp_path / "lookup" / "content" / f"{blob_id(HELLO)}.gz", damage)
    with pytest.raises(DataError, match=f"{blob_id(HELLO)}.gz: the content isn't what its blob_id names"):
        list(join(tmp_path)({"files": [stored(HELLO, "/a.py")]}))


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({"text": "x"}, "neither 'files' nor 'blob_id'"),
        ({"files": "x"}, "should hold a list of files"),
        ({"files": [{"path": "/a"}]}, "not a blob_id: 'None'"),
        ({"files": [{"blob_id": "../../../../etc/passwd"}]}, "not a blob_id"),
        ({"files": [{"blob_id": blob_id(HELLO).upper()}]}, "not a blob_id"),
    ],
)
def test_a_row_that_is_not_one_of_files_is_an_error(row: dict[str, Any], error: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=error):
        list(join(tmp_path)(row))


def test_refine_codes_metadata_without_blob_ids_is_an_error_that_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"metadata without blob ids.*resolve_blob_ids"):
        list(join(tmp_path, "refine_code")({"repo_name": "o/r", "sub_path": "a.py"}))


def test_the_ids_that_a_row_needs_leave_inline_files_out() -> None:
    row = {"files": [stored(HELLO, "/a"), {"content": "inline"}, stored(LATIN, "/b")]}
    assert list(content_ids(row)) == [blob_id(HELLO), blob_id(LATIN)]
