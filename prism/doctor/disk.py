"""The disk that runs are written to: room, and how fast it takes and gives a file."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prism.doctor.machine import Machine
from prism.doctor.row import Row, Verdict

_MB, _GB = 10**6, 10**9
_PROBE_BYTES, _BLOCK = 128 << 20, 4 << 20
_WRITE, _READ = 100 * _MB, 200 * _MB
"""Bytes a second below which saving a checkpoint or reading tokens holds a GPU up."""
_LEAST_INODES = 10_000
FULL_BYTES = _GB
"""Room without which no run begins."""


def disk(machine: Machine, wanted_bytes: int, *, speed: bool) -> Iterator[Row]:
    """Room, files, and with `speed` a probe of 128 MiB that is synced, read back uncached and removed."""
    folder = machine.writable_folder()
    yield _room(folder, wanted_bytes)
    yield _inodes(folder)
    if speed:
        yield _speed(folder)


def _room(folder: Path, wanted: int) -> Row:
    free = shutil.disk_usage(folder).free
    found = f"{free / _GB:,.1f} GB free in {folder}"
    remedy = "make room, or set run.directory to another disk"
    if free < max(wanted, FULL_BYTES):
        needs = f", {wanted / _GB:,.1f} GB for checkpoints of this recipe" if wanted > FULL_BYTES else ""
        return Row("disk", "disk space", found + needs, Verdict.FAILS, remedy)
    if free < 2 * wanted or free < 10 * _GB:
        return Row("disk", "disk space", found, Verdict.SLOW, remedy)
    return Row("disk", "disk space", found, Verdict.OK)


def _inodes(folder: Path) -> Row:
    status = os.statvfs(folder)
    if status.f_files == 0:  # file systems that make them as they go
        return Row("disk", "disk files", "no limit", Verdict.OK)
    few = status.f_favail < _LEAST_INODES
    remedy = "remove files: the file system has nearly no inodes left" if few else ""
    return Row("disk", "disk files", f"{status.f_favail:,} more", Verdict.FAILS if few else Verdict.OK, remedy)


@dataclass(frozen=True)
class DiskSpeed:
    """Bytes a second. `cached` says that the kernel wouldn't forget the file, so reading is memory's speed."""

    write: float
    read: float
    cached: bool


def _speed(folder: Path) -> Row:
    try:
        found = measure(folder, min(_PROBE_BYTES, shutil.disk_usage(folder).free // 2))
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        what = "full or over its quota" if full else f"can't be written to: {error.strerror}"
        remedy = "make room, or set run.directory to another disk" if full else "set run.directory to a folder of yours"
        return Row("disk", "disk speed", f"{folder}: {what}", Verdict.FAILS, remedy)
    text = f"writes {found.write / _MB:,.0f} MB/s with fsync, reads {found.read / _MB:,.0f} MB/s"
    text += " (cached)" if found.cached else ""
    if found.write < _WRITE or found.read < _READ:
        remedy = "write runs to a local or parallel file system (run.directory), and save less often"
        return Row("disk", "disk speed", text, Verdict.SLOW, remedy)
    return Row("disk", "disk speed", text, Verdict.OK)


def measure(folder: Path, size: int) -> DiskSpeed:
    """Writes and reads back `size` bytes in a file that goes afterwards. Raises OSError."""
    path = folder / f".prism-doctor-{os.getpid()}"
    block = os.urandom(_BLOCK)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        began = time.perf_counter()
        for start in range(0, size, _BLOCK):
            _write_all(handle, block[: size - start])
        os.fsync(handle)
        wrote = time.perf_counter() - began
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.lseek(handle, 0, os.SEEK_SET)
        began = time.perf_counter()
        while os.read(handle, _BLOCK):
            pass
        took = time.perf_counter() - began
    finally:
        os.close(handle)
        path.unlink(missing_ok=True)
    read = size / max(took, 1e-9)
    return DiskSpeed(size / max(wrote, 1e-9), read, cached=read > 20 * _GB)


def _write_all(handle: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]
