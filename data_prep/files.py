"""Files that are whole or absent: written to a temporary name, synced, then renamed."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from data_prep.errors import DataError


@contextmanager
def atomic_writer(path: Path) -> Iterator[IO[bytes]]:
    """Opens a temporary file beside `path`; on success it is synced and takes `path`'s name, else it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
        sync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Makes a rename inside `directory` survive a power loss."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def begin_sync(descriptor: int, start: int, length: int) -> None:
    """Starts writing a part of a file to the disk without waiting, so that the final sync finds little left to do."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)


def write_bytes(path: Path, content: bytes) -> None:
    with atomic_writer(path) as handle:
        handle.write(content)


def write_text(path: Path, content: str) -> None:
    write_bytes(path, content.encode())


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Raises DataError when the file is missing or isn't JSON in UTF-8."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError("the file is missing", place=str(path), remedy="run the step that makes it") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"not valid JSON ({error})", place=str(path), remedy="delete it and run again") from None


def write_jsonl(path: Path, rows: Iterable[Any]) -> int:
    """Returns the number of rows written, one JSON value a line."""
    count = 0
    with atomic_writer(path) as handle:
        for count, row in enumerate(rows, start=1):  # noqa: B007  the last count is the result
            handle.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    return count


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file, unpacked when its name ends in .gz.

    Raises:
        DataError: a line isn't a JSON object, or the packed file is damaged; named with its place.
    """
    with _opened(path) as handle:
        for number, line in enumerate(_lines(handle, path), start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(
                    f"not valid JSON ({error.msg})", place=f"{path}:{number}", remedy="mend or remove the line"
                ) from None
            if not isinstance(row, dict):
                raise DataError(
                    f"expected a JSON object, found {type(row).__name__}",
                    place=f"{path}:{number}",
                    remedy="write one object a line",
                )
            yield row


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _lines(handle: IO[bytes], path: Path) -> Iterator[bytes]:
    try:
        yield from handle
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"the file is damaged or cut short ({error})", place=str(path), remedy="bring the file again"
        ) from None


def sha256_file(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprint(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value` (sorted keys, no spaces)."""
    return sha256_text(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
