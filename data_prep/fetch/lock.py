"""One process of a node at a time in a folder."""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from data_prep.errors import DataError


@contextmanager
def alone_in(folder: Path, log: Callable[[str], None]) -> Iterator[None]:
    """Waits until no other process is in `folder`; a process that dies leaves no lock behind.

    The lock is the kernel's (flock): it holds between the processes of one node. On a disk that several nodes share it
    depends on the mount, so let one node write to it.

    Raises:
        DataError: the folder can't be written to, or its file system has no locks.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / ".fetch.lock").open("ab")
    except OSError as error:
        raise DataError(
            f"can't be written to ({error.strerror})", place=str(folder), remedy="choose a folder of yours with --to"
        ) from None
    with handle:
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log(f"{folder}: another process is at it; waiting")
                fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK):
                raise DataError(
                    "its file system has no file locks",
                    place=str(folder),
                    remedy="mount it with locks (Lustre: -o flock), or fetch to another disk and copy",
                ) from None
            raise
        yield
