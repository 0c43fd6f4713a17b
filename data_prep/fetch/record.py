"""<folder>/.fetched.json: which commit a folder holds, with the size and hash of each file.

While files are on their way the same record, unfinished, is <folder>/.fetch/plan.json: it pins the commit, so that a
fetch that was killed goes on with what it began.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from data_prep.card import check_version
from data_prep.errors import DataError
from data_prep.fetch.request import FetchRequest
from data_prep.files import read_json, write_json

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class FetchedFile:
    """A file of a data set. `blob` is its git hash; `sha256` is null until the content was seen, except in Git LFS."""

    path: str
    size: int
    blob: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class FetchRecord:
    """What a folder holds of a data set.

    Attributes:
        revision: What was asked for; `commit` is what it was.
        stale: Files of an earlier commit, which go when this one is complete.
        finished: When the last file was verified, in UTC; null before.
    """

    hub: str
    revision: str
    commit: str
    patterns: list[str]
    files: list[FetchedFile]
    licence: str
    licence_url: str | None = None
    stale: tuple[str, ...] = ()
    finished: str | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)

    def answers(self, request: FetchRequest) -> bool:
        """Whether it is of the data set, files and revision of a request; a commit may be asked for by its hash."""
        return (
            self.hub == request.hub
            and set(self.patterns) == set(request.patterns)
            and request.revision in (self.revision, self.commit)
        )

    def missing(self, folder: Path) -> list[FetchedFile]:
        """The files that aren't in `folder` with their size."""
        return [file for file in self.files if not has_size(folder / file.path, file.size)]


def record_path(folder: Path) -> Path:
    return folder / ".fetched.json"


def work_folder(folder: Path) -> Path:
    """Folder of unfinished files; it goes when the record is written."""
    return folder / ".fetch"


def plan_path(folder: Path) -> Path:
    return work_folder(folder) / "plan.json"


def read_record(path: Path) -> FetchRecord | None:
    """None when there is none. Raises DataError when it can't be read or is of another release's schema."""
    if not path.is_file():
        return None
    values: dict[str, Any] = read_json(path)
    if not isinstance(values, dict):
        raise DataError("not a record of a fetch", place=str(path), remedy="delete it and fetch again")
    check_version(values, SCHEMA_VERSION, path)
    try:
        files = [FetchedFile(**file) for file in values["files"]]
        return FetchRecord(**{**values, "files": files, "stale": tuple(values["stale"])})
    except (KeyError, TypeError) as error:
        raise DataError(
            f"not a record of a fetch ({error})", place=str(path), remedy="delete it and fetch again"
        ) from None


def write_record(path: Path, record: FetchRecord) -> None:
    write_json(path, asdict(record))


def with_hashes(record: FetchRecord, hashes: dict[str, str], finished: str) -> FetchRecord:
    """The record of a complete folder. `hashes` are SHA-256 by path."""
    files = [replace(file, sha256=hashes.get(file.path, file.sha256)) for file in record.files]
    return replace(record, files=files, stale=(), finished=finished)


def has_size(path: Path, size: int) -> bool:
    try:
        return path.is_file() and path.stat().st_size == size
    except OSError:
        return False
