"""One run at a time in a run directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prism.errors import UsageError

_NAME = ".lock"


@contextmanager
def run_lock(directory: Path) -> Iterator[None]:
    """Holds the directory for this process. The kernel lets go when the process ends, however it ends.

    Raises:
        UsageError: another process holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / _NAME).open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            raise UsageError(
                f"process {handle.read().strip() or 'unknown'} is running in it",
                place=str(directory),
                remedy="wait until it ends, or give this run a name of its own with --set run.name=NAME",
            ) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield
