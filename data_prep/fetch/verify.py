"""Whether a fetched folder still is what its record says, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from data_prep.errors import DataError
from data_prep.fetch.record import FetchedFile, FetchRecord, has_size, read_record, record_path
from data_prep.fetch.transfer import verified


def record_of(folder: Path) -> FetchRecord:
    """The record of a folder.

    Raises:
        DataError: nothing was fetched to it, or the record is another release's.
    """
    record = read_record(record_path(folder))
    if record is None:
        raise DataError(
            "no .fetched.json: not fetched, or not to its end", place=str(folder), remedy="fetch it, or name its folder"
        )
    return record


def faults(folder: Path, record: FetchRecord) -> Iterator[tuple[FetchedFile, str | None]]:
    """Every file of the record, with what is wrong with it."""
    for file in record.files:
        path = folder / file.path
        if not path.is_file():
            yield file, "missing"
        elif not has_size(path, file.size):
            yield file, f"{path.stat().st_size:,} bytes, {file.size:,} were fetched"
        elif verified(path, file) is None:
            yield file, "changed: another SHA-256"
        else:
            yield file, None
