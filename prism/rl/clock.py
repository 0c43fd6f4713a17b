"""How long the parts of a step take, and what becomes of a step that takes too long."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

log = logging.getLogger("prism.rl")


def patience(deadline_minutes: float | None) -> timedelta:
    """How long a rank waits in a collective: twice a step's deadline, so that the clock speaks first."""
    return timedelta(days=1) if deadline_minutes is None else timedelta(minutes=2 * deadline_minutes)


class StepClock:
    """Times the named parts of a step; ends the process when a step is past its deadline, and says which part was slow.

    Args: deadline_minutes: of a step; None waits for ever.
    """

    def __init__(self, deadline_minutes: float | None) -> None:
        self._limit_s = None if deadline_minutes is None else 60 * deadline_minutes
        self._parts: dict[str, float] = {}
        self._now: tuple[str, float] | None = None
        self._step = 0
        self._main = threading.get_ident()
        self._timer: threading.Timer | None = None

    @contextmanager
    def step(self, number: int) -> Iterator[None]:
        """A step, with a deadline of its own."""
        self._step, self._parts = number, {}
        if self._limit_s is not None:
            self._timer = threading.Timer(self._limit_s, self._expire)
            self._timer.daemon = True
            self._timer.start()
        try:
            yield
        finally:
            if self._timer is not None:
                self._timer.cancel()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """A part of the step; the times of parts of one name add up."""
        began = time.perf_counter()
        self._now = name, began
        try:
            yield
        finally:
            self._parts[name] = self._parts.get(name, 0.0) + time.perf_counter() - began
            self._now = None

    def seconds(self) -> dict[str, float]:
        """By part, of the step so far."""
        return {f"{name}_seconds": round(value, 4) for name, value in self._parts.items()}

    def verdict(self) -> str:
        """Which part is slow: the one that is going on, else the longest so far."""
        took = dict(self._parts)
        if self._now is not None:
            name, began = self._now
            took[name] = took.get(name, 0.0) + time.perf_counter() - began
        named = ", ".join(f"{name} {value:.1f} s" for name, value in sorted(took.items(), key=lambda part: -part[1]))
        where = self._now[0] if self._now is not None else "between parts"
        return (
            f"step {self._step} took longer than {(self._limit_s or 0) / 60:.3g} minutes; it is in: {where} ({named})"
        )

    def _expire(self) -> None:
        frame = sys._current_frames().get(self._main)
        stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
        log.error("%s", stack)
        log.error(
            "%s. Remedy: start the run again: it goes on from its last checkpoint and journal; if this is normal here, "
            "raise rl.deadline_minutes",
            self.verdict(),
        )
        for handler in logging.getLogger().handlers:
            handler.flush()
        os._exit(1)
