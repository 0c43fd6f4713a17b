"""Size and checksum of files: 128-bit xxHash finds damage at the speed of memory (it is no guard against forgery)."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import xxhash

from data_prep.files import begin_sync

_AT_ONCE = 1 << 24


@dataclass(frozen=True)
class FileSum:
    """What a file holds: its size in bytes, and the XXH3 (128 bits, hexadecimal) of its content."""

    bytes: int
    xxh3: str


def sum_bytes(content: bytes) -> FileSum:
    return FileSum(len(content), xxhash.xxh3_128_hexdigest(content))


def sum_file(path: Path) -> FileSum:
    """Reads the whole file. Raises OSError."""
    running = xxhash.xxh3_128()
    buffer = memoryview(bytearray(min(_AT_ONCE, max(1, path.stat().st_size))))
    size = 0
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            running.update(buffer[:count])
            size += count
    return FileSum(size, running.hexdigest())


def write_summed(path: Path, content: memoryview | bytes) -> FileSum:
    """Writes a new file, sums it up on the way, and syncs it.

    Raises:
        OSError: the disk is full, or fails.
    """
    running = xxhash.xxh3_128()
    view = memoryview(content)
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(view), _AT_ONCE):
            part = view[start : start + _AT_ONCE]
            running.update(part)
            _write_all(file, part)
            begin_sync(file.fileno(), start, len(part))
        os.fsync(file.fileno())
    return FileSum(len(view), running.hexdigest())


def _write_all(file: io.FileIO, part: memoryview) -> None:
    while part:
        written = file.write(part)
        if not written:
            raise OSError(errno.EIO, os.strerror(errno.EIO), file.name)
        part = part[written:]


def damage(path: Path, expected: FileSum) -> str | None:
    """What is wrong with a file, in words; None if it is what it was when it was summed."""
    try:
        size = path.stat().st_size
        if size != expected.bytes:
            return f"{path.name} has {size} bytes, not {expected.bytes}"
        return None if sum_file(path) == expected else f"{path.name} has another checksum"
    except FileNotFoundError:
        return f"{path.name} is missing"
    except OSError as error:
        return f"{path.name} can't be read ({error.strerror})"


def sum_folder(folder: Path, leave_out: Iterable[str] = ()) -> dict[str, FileSum]:
    """Sums of the files directly in `folder`."""
    left_out = set(leave_out)
    return {
        file.name: sum_file(file) for file in sorted(folder.iterdir()) if file.is_file() and file.name not in left_out
    }
