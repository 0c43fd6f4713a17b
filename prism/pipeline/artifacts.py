"""Content hashes of files and folders, remembered so that unchanged files aren't read again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from data_prep.files import fingerprint, sha256_file
from prism.errors import BadInput

_WHOLE = "."


@dataclass(frozen=True)
class FileRecord:
    """A file as it was hashed. While size and modification time stay, so does the hash."""

    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class Artifact:
    """A file or folder with the hash of its content.

    `sha256` of a file is the file's own; of a folder, the hash over the sorted names and hashes of its files.
    Names that start with a dot are unfinished writes and don't count.
    """

    path: str
    sha256: str
    files: Mapping[str, FileRecord]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(file.size for file in self.files.values())


def measure(base: Path, path: str, known: Artifact | None = None) -> Artifact:
    """Hashes `base/path` (an absolute `path` stands for itself); takes over hashes from `known` where it may.

    Raises:
        BadInput: there is nothing at that path.
    """
    place = base / path
    remembered = known.files if known is not None else {}
    if place.is_file():
        record = _measure_file(place, remembered.get(_WHOLE))
        return Artifact(path, record.sha256, {_WHOLE: record})
    if not place.is_dir():
        raise BadInput(
            "is missing",
            place=str(place),
            remedy="restore it, or run the stage that makes it again",
        )
    files = {name: _measure_file(place / name, remembered.get(name)) for name in _files_under(place)}
    digest = fingerprint([[name, record.sha256] for name, record in files.items()])
    return Artifact(path, digest, files)


def _measure_file(place: Path, known: FileRecord | None) -> FileRecord:
    status = place.stat()
    if known is not None and (known.size, known.mtime_ns) == (
        status.st_size,
        status.st_mtime_ns,
    ):
        return known
    return FileRecord(status.st_size, status.st_mtime_ns, sha256_file(place))


def _files_under(directory: Path) -> Iterator[str]:
    """Relative names of the files below `directory`, sorted, without those that start with a dot."""
    names = []
    for folder, folders, files in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".")]
        names += [(Path(folder) / name).relative_to(directory).as_posix() for name in files if not name.startswith(".")]
    yield from sorted(names)
