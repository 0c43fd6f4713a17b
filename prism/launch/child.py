"""What a child does first: a process group of its own, output into its log, an end when the parent ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def become_worker(log: Path) -> None:
    """Prepares a forked child.

    The group of its own keeps Ctrl-C, which a terminal sends to the whole foreground group, with the parent alone:
    it decides what ends.
    """
    os.setpgid(0, 0)
    die_with_parent()
    redirect_output(log)


def die_with_parent(parent: int | None = None) -> None:
    """Asks the kernel to kill this process when its parent dies, however it dies. Does nothing outside Linux.

    Args:
        parent: process id of the parent, when known: if it has gone already, this process ends at once.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def redirect_output(log: Path) -> None:
    """Sends standard output and error to the end of `log`, and gives the process an empty input."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
