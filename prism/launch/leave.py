"""Signals that ask a command to leave: SIGTERM, and SIGUSR1, by which Slurm warns of a job's end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def hold_warning() -> None:
    """From now on SIGUSR1 waits, until something that can answer it takes it up: a rank that it killed while it starts
    would leave the others waiting for it.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})


def release_warning() -> None:
    """SIGUSR1 comes through again, one that waits too; where nothing handles it, it ends the process."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})


@contextmanager
def asked_to_leave() -> Iterator[Callable[[], bool]]:
    """While it lasts, SIGTERM and SIGUSR1 only ask to leave; a second one ends this process the way Ctrl-C does.

    Gives a function that says whether one came. Outside of the main thread, which alone may handle signals, none does.
    """
    asked = threading.Event()

    def ask(number: int, frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGUSR1)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
