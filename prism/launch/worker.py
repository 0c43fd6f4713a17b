"""What the scheduler knows of a process: it runs, it ended with a code, it can be stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol


class Worker(Protocol):
    """A node's process, or the group of its processes."""

    def poll(self) -> int | None:
        """The exit code, negative for the signal that killed it; None while it runs. Never blocks."""

    def stop(self) -> None:
        """Ends it and everything it started; returns when it is gone."""

    def ask_to_leave(self) -> None:
        """Sends SIGTERM to the processes that do the work: who can save itself does, and ends with exit code 85."""


class Launcher(Protocol):
    """Starts workers."""

    def start(self, run_directory: Path, node: str, log: Path) -> Worker:
        """Starts `node`; standard output and error go to the end of `log`."""


def stop_group(leader: int, poll: Callable[[], int | None], patience_s: float = 5.0) -> None:
    """Asks the process group of `leader` to end; whatever is left after `patience_s` is killed."""
    _signal_group(leader, signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    while poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    _signal_group(leader, signal.SIGKILL)
    while poll() is None:
        time.sleep(0.02)


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)
