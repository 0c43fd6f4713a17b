"""A data set's rows from files as they are published: JSON lines, JSON, Parquet, CSV."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from data_prep.files import read_jsonl
from prism.errors import BadInput

_ENDINGS = (".jsonl", ".jsonl.gz", ".json", ".parquet", ".csv")
_ROWS_AT_ONCE = 16
"""Rows of Parquet that are held at once: those of code sets are megabytes each."""


def data_files(path: Path, patterns: Sequence[str] = ()) -> list[Path]:
    """The files to read: the file itself, or those of a folder by name; empty when there is none.

    Args:
        patterns: files of the folder, in the manner of fnmatch; without any all count.
    """
    if path.is_file():
        return [path]
    names = sorted(
        file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file() and file.name.endswith(_ENDINGS)
    )
    visible = [name for name in names if not any(part.startswith(".") for part in name.split("/"))]
    return [path / name for name in visible if not patterns or any(fnmatchcase(name, one) for one in patterns)]


def records(files: Sequence[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row with its place, `file:number`.

    Raises:
        BadInput: a file isn't what its name says.
    """
    for file in files:
        for number, row in enumerate(_rows(file), start=1):
            yield f"{file}:{number}", row


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    if file.name.endswith((".jsonl", ".jsonl.gz")):
        return read_jsonl(file)
    readers = {".json": _json, ".parquet": _parquet, ".csv": _csv}
    reader = readers.get(file.suffix)
    if reader is None:
        raise BadInput(
            "the name doesn't say how the file is read",
            place=str(file),
            remedy=f"give it the ending that it has by its content: {', '.join(_ENDINGS)}",
        )
    return reader(file)


def _json(file: Path) -> Iterator[dict[str, Any]]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(file, "JSON", error) from None
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise BadInput("expected a list of objects", place=str(file), remedy="write one, or JSON lines (.jsonl)")
    yield from found


def _csv(file: Path) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(sys.maxsize)
    with file.open(newline="", encoding="utf-8") as handle:
        try:
            yield from csv.DictReader(handle, strict=True)
        except (csv.Error, UnicodeDecodeError) as error:
            raise _damaged(file, "CSV", error) from None


def _parquet(file: Path) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError:
        raise BadInput(
            "Parquet needs pyarrow", place=str(file), remedy="pip install 'prism-megatron[data]', or bring JSON lines"
        ) from None
    try:
        with parquet.ParquetFile(file) as opened:
            for batch in opened.iter_batches(batch_size=_ROWS_AT_ONCE):
                yield from batch.to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise _damaged(file, "Parquet", error) from None


def _damaged(file: Path, what: str, error: Exception) -> BadInput:
    return BadInput(
        f"not {what}, or cut short ({type(error).__name__})", place=str(file), remedy="bring the file again"
    )
