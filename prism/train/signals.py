"""Signals that ask a stage to save itself and leave: SIGTERM, and SIGUSR1, by which Slurm warns of a job's end."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

ASKING = (signal.SIGTERM, signal.SIGUSR1)


class StopRequest:
    """Remembers that a signal came; the loop looks at a step's end, where all ranks agree on what to do.

    Handlers are set only in the main thread, which is the only one that may; elsewhere nothing is ever requested.
    """

    def __init__(self) -> None:
        self._came: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether a signal came to this process."""
        return self._came is not None

    @property
    def signal_name(self) -> str:
        """Name of the first signal that came to this process."""
        return "a signal to another rank" if self._came is None else self._came.name

    def install(self) -> None:
        """From now on the signals only ask; does nothing where it is done already."""
        if self._before or threading.current_thread() is not threading.main_thread():
            return
        self._before = {number: signal.signal(number, self._ask) for number in ASKING}
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKING)  # one that came while the process started counts

    def restore(self) -> None:
        """Signals do again what they did before `install`."""
        for number, handler in self._before.items():
            # None stands for a handler that wasn't set from Python, which can't be set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}

    def __enter__(self) -> StopRequest:
        self.install()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._came is None:
            self._came = signal.Signals(number)
