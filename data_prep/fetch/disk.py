"""Another disk that holds a fetched set, as an origin of files."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from data_prep.errors import DataError
from data_prep.fetch.record import FetchedFile

_BLOCK = 8 << 20


class Disk:
    """A folder with its record."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def bring(self, file: FetchedFile, part: BinaryIO, start: int) -> None:
        """Appends the file's bytes from `start` on."""
        with (self._folder / file.path).open("rb") as handle:
            handle.seek(start)
            while block := handle.read(_BLOCK):
                part.write(block)

    def damaged(self, file: FetchedFile, found: str) -> DataError:
        return DataError(
            f"{file.path} has SHA-256 {found}, its record says {file.sha256}",
            place=str(self._folder),
            remedy="delete the file and fetch it again",
        )
