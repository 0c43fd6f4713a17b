"""Files of Software Heritage by blob_id: which a row needs, where they lie, and rows with their text.

A blob_id is the SHA-1 of the file's bytes, so that each file is checked.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from data_prep.errors import DataError
from data_prep.rows import Row

CONTENT = "content"
NOT_FETCHED = "the file's content isn't there"
NOT_TEXT = "the file isn't text in its src_encoding"

_BLOB_ID = re.compile(r"[0-9a-f]{40}")


class ContentJoin:
    """A row a file, with its text in the column `content`.

    Takes rows of a repository with `files` (the Stack v2 train sets), or rows of a file with `blob_id`. Files whose
    content is inline (the Stack v3) pass as they are.

    Args:
        folder: The lookup folder; contents lie below its folder `content`.
        resolved: Rows must have a blob_id, from `resolve_blob_ids`.
    """

    def __init__(self, folder: Path, *, resolved: bool = False) -> None:
        self.missing: Counter[str] = Counter()
        self._folder = folder / CONTENT
        self._resolved = resolved

    def __call__(self, row: Row) -> Iterator[Row]:
        """Raises DataError when the row has neither files nor a blob_id, or a content is damaged."""
        if self._resolved and "blob_id" not in row:
            raise DataError("metadata without blob ids", remedy="run resolve_blob_ids first: it writes them")
        repository = {key: found for key, found in row.items() if key != "files"}
        for file in _files(row):
            if isinstance(file.get("content"), str):
                yield {**repository, **file}
                continue
            content = read_content(self._folder, _blob_id(file))
            text = None if content is None else _decoded(content, str(file.get("src_encoding") or "utf-8"))
            if text is not None:
                yield {**repository, **file, "content": text}
            else:
                self.missing[NOT_FETCHED if content is None else NOT_TEXT] += 1


def content_ids(row: Row) -> Iterator[str]:
    """The blob ids whose contents a row needs. Raises DataError as `ContentJoin` does."""
    return (_blob_id(file) for file in _files(row) if not isinstance(file.get("content"), str))


def content_path(folder: Path, blob_id: str) -> Path:
    """Where a content is written: in a folder of the id's first two digits, so that no folder gets too large."""
    return folder / blob_id[:2] / f"{blob_id}.gz"


def read_content(folder: Path, blob_id: str) -> bytes | None:
    """The bytes of a file from `folder`/<blob_id>, with or without .gz, also below the id's first two digits; or None.

    Raises:
        DataError: the bytes aren't those that the id names.
    """
    for path in (content_path(folder, blob_id), folder / f"{blob_id}.gz", folder / blob_id):
        try:
            stored = path.read_bytes()
        except FileNotFoundError:
            continue
        content = unpack(stored, blob_id)
        if content is None:
            raise DataError(
                "the content isn't what its blob_id names", place=str(path), remedy="delete it, fetch again"
            )
        return content
    return None


def unpack(stored: bytes, blob_id: str) -> bytes | None:
    """The file's bytes, gzip or plain, or None when neither has the SHA-1 `blob_id`."""
    if hashlib.sha1(stored, usedforsecurity=False).hexdigest() == blob_id:
        return stored
    try:
        content = gzip.decompress(stored)
    except (OSError, EOFError, zlib.error):
        return None
    return content if hashlib.sha1(content, usedforsecurity=False).hexdigest() == blob_id else None


def _files(row: Row) -> list[Row]:
    if "files" not in row:
        if "blob_id" in row:
            return [row]
        raise DataError(
            f"neither 'files' nor 'blob_id' (here: {', '.join(row)})", remedy="leave the join out, or correct the path"
        )
    files = row["files"]
    if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
        raise DataError("column 'files' should hold a list of files", remedy="correct the source's path, or the row")
    return files


def _blob_id(file: Row) -> str:
    blob_id = str(file.get("blob_id"))
    if not _BLOB_ID.fullmatch(blob_id):
        raise DataError(f"not a blob_id: {blob_id!r:.60}", remedy="it is 40 hexadecimal digits")
    return blob_id


def _decoded(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None
