"""Files brought several at a time into a folder: each goes on where it stopped, is verified, then takes its name."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from data_prep.errors import DataError, DiskFull
from data_prep.fetch.record import FetchedFile, has_size, work_folder
from data_prep.files import sync_directory

Progress = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes in all; from several threads, one at a time."""

_BLOCK = 8 << 20


class Origin(Protocol):
    """Where files come from."""

    def bring(self, file: FetchedFile, part: BinaryIO, start: int) -> None:
        """Appends the file's bytes from `start` on to `part`; it may rewind `part` and begin anew."""

    def damaged(self, file: FetchedFile, found: str) -> DataError:
        """The error for a file that came whole and isn't what it should be; `found` is its SHA-256."""


class Meter:
    """Counts bytes; once stopped, whoever counts is stopped by an exception."""

    def __init__(self, done: int, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = done, total, progress
        self._lock = threading.Lock()
        self._stopped = False

    def add(self, count: int) -> None:
        if self._stopped:
            raise _Stopped
        with self._lock:
            self._done += count
            if self._progress is not None:
                self._progress(self._done, self._total)

    def stop(self) -> None:
        self._stopped = True


def bring_files(
    folder: Path,
    files: list[FetchedFile],
    trusted: dict[str, str],
    origin: Origin,
    *,
    threads: int,
    progress: Progress | None,
) -> tuple[dict[str, str], int]:
    """Brings those of `files` that `folder` lacks. Returns SHA-256 by path of all, and how many bytes were moved.

    A file of the right size is taken as it is when `trusted` (SHA-256 by path) vouches for it, else its hash decides.

    Raises:
        DataError: a file isn't what it should be, or the origin fails.
        DiskFull: the files don't fit.
    """
    parts = {file.path: _part_path(folder, file) for file in files}
    there = {file.path for file in files if has_size(folder / file.path, file.size)}
    begun = sum(_size(parts[file.path], file.size) for file in files if file.path not in there)
    kept = sum(file.size for file in files if file.path in there)
    total = sum(file.size for file in files)
    check_room(folder, total - kept - begun)
    meter = Meter(kept + begun, total, progress)

    def one(file: FetchedFile) -> tuple[str, int]:
        path = folder / file.path
        if file.path in there:
            vouched = trusted.get(file.path)
            if vouched is not None and file.sha256 in (None, vouched):
                return vouched, 0
            found = verified(path, file)
            if found is not None:
                return found, 0
            meter.add(-file.size)
        return _bring(file, path, parts[file.path], origin, meter)

    hashes: dict[str, str] = {}
    moved = 0
    with ThreadPoolExecutor(threads) as pool:
        futures = {pool.submit(one, file): file for file in files}
        try:
            for future in as_completed(futures):
                hashes[futures[future].path], count = future.result()
                moved += count
        except BaseException as error:
            meter.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            if isinstance(error, OSError):
                raise disk_error(error, folder) from None
            raise
    return hashes, moved


def verified(path: Path, file: FetchedFile) -> str | None:
    """SHA-256 of the file at `path` when it is `file`, judged by SHA-256 or else by git hash; None when it isn't."""
    if not has_size(path, file.size):
        return None
    sha256 = hashlib.sha256()
    git = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            sha256.update(block)
            if file.sha256 is None:
                git.update(block)
    found = sha256.hexdigest()
    if file.sha256 is not None:
        return found if found == file.sha256 else None
    return found if file.blob in (None, git.hexdigest()) else None


def check_room(folder: Path, needed: int) -> None:
    """Raises DiskFull when the disk of `folder` has less than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DiskFull(
            f"{readable(needed)} to write, {readable(free)} free",
            place=str(folder),
            remedy="make room, choose another disk with --to, or fewer sources with --source",
        )


def disk_error(error: OSError, folder: Path) -> DataError | DiskFull:
    """The error for the user when the disk refuses."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(
            f"the disk is full ({error.strerror})",
            place=str(folder),
            remedy="make room or choose another disk with --to, and run again: it goes on where it stopped",
        )
    place = str(error.filename or folder)
    return DataError(
        f"{error.strerror or error}", place=place, remedy="check the disk and its permissions, and run again"
    )


def readable(count: int) -> str:
    """Bytes as text, such as 3.1 GB."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1_000:
            return f"{value:.3g} {unit}"
        value /= 1_000
    return f"{value:,.1f} TB"


class _Stopped(Exception):
    """Another file failed."""


class _Counted:
    """A file that is written through a meter."""

    def __init__(self, handle: IO[bytes], meter: Meter) -> None:
        self._handle, self._meter = handle, meter
        self.seek, self.tell = handle.seek, handle.tell

    def write(self, content: bytes) -> int:
        count = self._handle.write(content)
        self._meter.add(count)
        return count

    def truncate(self) -> int:
        before = os.fstat(self._handle.fileno()).st_size
        size = self._handle.truncate()
        self._meter.add(size - before)
        return size


def _bring(file: FetchedFile, path: Path, part: Path, origin: Origin, meter: Meter) -> tuple[str, int]:
    """Returns the SHA-256 and the bytes that were moved."""
    part.parent.mkdir(parents=True, exist_ok=True)
    start = _size(part, file.size)
    if start != (part.stat().st_size if part.exists() else 0):
        part.unlink()
    with part.open("ab") as handle:
        origin.bring(file, _Counted(handle, meter), start)  # type: ignore[arg-type]
        handle.flush()
        os.fsync(handle.fileno())
    found = verified(part, file)
    if found is None:
        wrong = _sha256(part)
        meter.add(-part.stat().st_size)
        part.unlink()
        if start:  # what an earlier run left may have been the damage
            return _bring(file, path, part, origin, meter)
        raise origin.damaged(file, wrong)
    path.parent.mkdir(parents=True, exist_ok=True)
    part.replace(path)
    sync_directory(path.parent)
    return found, file.size - start


def _part_path(folder: Path, file: FetchedFile) -> Path:
    """Named for content and path, so that what an earlier run left is never another file's beginning."""
    name = hashlib.sha256(f"{file.sha256 or file.blob}:{file.path}".encode()).hexdigest()[:32]
    return work_folder(folder) / f"{name}.part"


def _size(part: Path, most: int) -> int:
    """Bytes of an unfinished file that can be gone on with."""
    with suppress(OSError):
        size = part.stat().st_size
        return size if size <= most else 0
    return 0


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
