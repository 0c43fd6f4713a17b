"""Which files were hashed on this machine, so that a blend of terabytes opens at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_prep.content_hash import Piece, combined
from data_prep.errors import DataError
from data_prep.files import read_json, write_json

_CLOCK_NS = 20_000_000
"""More than a tick of the clock that file systems take their times from."""


class Seen:
    """Size, inode, time of change and hash of each file when it was last hashed, kept in a file at `path`.

    It is a cache: it may be deleted, and a file that was copied or touched is hashed again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = _read(self._path)
        self._changed = False

    def unchanged(self, file: Path, pieces: Sequence[Piece]) -> bool:
        """Whether the file is as it was when it had this hash."""
        return file.is_file() and self._entries.get(self._name(file)) == _entry(file, pieces)

    def note(self, file: Path, pieces: Sequence[Piece]) -> None:
        """Takes note that the file, as it is now, has this hash.

        A file written just now isn't noted: another write could leave it with the same time of change.
        """
        if time.time_ns() - file.stat().st_mtime_ns > _CLOCK_NS:
            self._entries[self._name(file)] = _entry(file, pieces)
            self._changed = True

    def save(self) -> None:
        """Writes what is new. A folder that can't be written to is no error: the files are hashed again next time."""
        if self._changed:
            try:
                write_json(self._path, self._entries)
            except OSError:
                return
            self._changed = False

    def _name(self, file: Path) -> str:
        return str(file.resolve())


def _entry(file: Path, pieces: Sequence[Piece]) -> list[Any]:
    info = file.stat()
    return [info.st_size, info.st_ino, info.st_mtime_ns, combined(pieces)]


def _read(path: Path) -> dict[str, list[Any]]:
    try:
        entries = read_json(path) if path.is_file() else {}
    except DataError:
        return {}
    return entries if isinstance(entries, dict) else {}
