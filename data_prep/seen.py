"""Which files were hashed before, so that a blend of terabytes opens at once."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_prep.content_hash import Piece, check_file, combined
from data_prep.errors import DataError
from data_prep.files import read_json, write_json

_CLOCK_NS = 20_000_000
"""More than a tick of the clock that file systems take their times from."""


class Seen:
    """What each file looked like when it was last hashed, and its hash, kept in a file at `path`.

    A file looks the same with the same size, inode, time of writing and time of change; the last can't be set back, so
    one that was written to, copied or touched is hashed again. Bytes that a disk lost aren't noticed. What lies at
    `path` is a cache and may be deleted.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = _read(path)
        self._looked: dict[str, list[int]] = {}
        self._changed = False

    def unchanged(self, file: Path, pieces: Sequence[Piece]) -> bool:
        """Whether the file looks as it did when it had this hash."""
        if not file.is_file():
            return False
        looks = self._looked[_name(file)] = _looks(file)
        return self._entries.get(_name(file)) == [*looks, combined(pieces)]

    def confirm(self, file: Path, pieces: Sequence[Piece], remedy: str, *, every_byte: bool = False) -> None:
        """Hashes a file that wasn't seen to have this hash, or any with `every_byte`.

        Raises:
            DataError: it has another hash, or is missing.
        """
        if not self.unchanged(file, pieces) or every_byte:
            check_file(file, pieces, remedy)
            self.note(file, pieces)

    def note(self, file: Path, pieces: Sequence[Piece]) -> None:
        """Takes note that the file was found to have this hash since `unchanged` looked at it.

        It isn't noted when it was written to in between, or so short a time before that another write could leave it
        with the same times.
        """
        looks = _looks(file)
        if looks == self._looked.get(_name(file)) and time.time_ns() - max(looks[2:]) > _CLOCK_NS:
            self._entries[_name(file)] = [*looks, combined(pieces)]
            self._changed = True

    def save(self) -> None:
        """Writes what is new. A folder that can't be written to is no error: the files are hashed again next time."""
        if self._changed:
            try:
                write_json(self._path, self._entries)
            except OSError:
                return
            self._changed = False


def _name(file: Path) -> str:
    return os.fspath(file.resolve())


def _looks(file: Path) -> list[int]:
    info = file.stat()
    return [info.st_size, info.st_ino, info.st_mtime_ns, info.st_ctime_ns]


def _read(path: Path) -> dict[str, list[Any]]:
    try:
        entries = read_json(path) if path.is_file() else {}
    except (DataError, UnicodeDecodeError):
        return {}
    return entries if isinstance(entries, dict) else {}
