"""Ends a stage that hangs, and says where: which rank, at which step, since when, and what every thread is doing."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO, ClassVar

import torch.distributed as dist

from prism.megatron.parallel import PATIENCE
from prism.recipe.schema.operation import OperationConfig
from prism.train.callback import Callback, Training
from prism.train.heartbeats import LEFT, Heartbeat, Heartbeats, clock_time, culprits

_LONGEST_ROUND_S = 20.0
_ROUNDS = 8
"""Looks within the deadline, at least."""
_PATIENCE = 4
"""How many times as long the start may take, and what the watchdog is paused for."""
_WRITING_S = 10.0
_WAITING = (
    "torch/distributed/distributed_c10d.py",
    "torch/distributed/c10d_logger.py",
    "torch/distributed/_functional_collectives.py",
    "megatron/core/pipeline_parallel/p2p_communication.py",
    "megatron/core/distributed/param_and_grad_buffer.py",
)
"""Files whose innermost line waits for other ranks."""


@dataclass(frozen=True)
class _Fed:
    """The main thread's last sign of life. `moment`: on the monotonic clock; `limit_s`: when the next one is due."""

    step: int
    phase: str
    moment: float
    limit_s: float


def patience(settings: OperationConfig) -> timedelta:
    """How long a rank waits in a collective: twice the watchdog's time, so that the watchdog speaks first."""
    if settings.hang_minutes is None:
        return timedelta(days=1)
    return max(PATIENCE, timedelta(minutes=2 * settings.hang_minutes))


class Watchdog(Callback):
    """A thread of each rank that ends the process when no step has begun or ended for `hang_minutes`.

    The start (all that comes before the end of the first step) may take four times as long. The thread leaves the
    stacks of all threads in `logs/STAGE.hang_rankN.txt` and in the log, names whom the ranks wait for, and ends the
    process with exit code 1. Should Python itself be stuck (a C function that holds the interpreter), faulthandler does
    the same from below, without names. First among the callbacks, so that it sees a step's end early.
    """

    name: ClassVar[str] = "watchdog"

    def __init__(self, settings: OperationConfig) -> None:
        self._limit_s = None if settings.hang_minutes is None else 60 * settings.hang_minutes
        self._thread: threading.Thread | None = None
        self._pauses = 0
        self._fed = _Fed(0, "start", time.monotonic(), 0.0)

    def begin(self, training: Training, step: int) -> None:
        if self._limit_s is None:
            return
        self._rank, self._world, self._host = dist.get_rank(), dist.get_world_size(), socket.gethostname()
        self._last_step = training.config.steps
        self._heartbeats = Heartbeats(training.folder / "heartbeats")
        logs = training.recipe.run_directory / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self._report = logs / f"{training.stage}.hang_rank{self._rank}.txt"
        self._report.unlink(missing_ok=True)
        self._round_s = min(self._limit_s / _ROUNDS, _LONGEST_ROUND_S)
        self._main = threading.get_ident()
        self._first = step + 1
        self._feed(step, f"before step {step + 1}", _PATIENCE)
        with contextlib.suppress(OSError):
            self._beat()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def before_step(self, step: int) -> None:
        self._feed(step, f"step {step}", _PATIENCE if step == self._first else 1)

    def after_step(self, step: int, row: dict[str, Any]) -> None:
        self._feed(step, f"after step {step}")

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        """For work that takes longer than a step, such as a save: it may take four times as long as a step."""
        self._pauses += 1
        self._feed(self._fed.step, self._fed.phase)
        try:
            yield
        finally:
            self._pauses -= 1
            self._feed(self._fed.step, self._fed.phase)

    def end(self) -> None:
        if self._thread is None:
            return
        self._over.set()
        self._thread.join(_WRITING_S)  # no longer: it may write to a file system that hangs
        self._thread = None
        faulthandler.cancel_dump_traceback_later()
        with contextlib.suppress(OSError):
            if self._fed.step == self._last_step:
                self._heartbeats.remove(self._rank)
            else:
                self._feed(self._fed.step, LEFT)
                self._beat()

    def _feed(self, step: int, phase: str, patience: int = 1) -> None:
        limit_s = (self._limit_s or 0.0) * (_PATIENCE if self._pauses else patience)
        self._fed = _Fed(step, phase, time.monotonic(), limit_s)

    def _watch(self) -> None:
        asleep = 0.0  # seconds that the whole process was stopped for
        fed = self._fed
        with open(os.dup(2), "wb") as log:  # noqa: PTH123  a descriptor
            while True:
                before = time.monotonic()
                if self._over.wait(self._round_s):
                    return
                now = time.monotonic()
                if fed is not self._fed:
                    fed, asleep = self._fed, 0.0
                elif now - before > 3 * self._round_s + 1.0:
                    asleep += now - before
                if now - fed.moment - asleep > fed.limit_s:
                    self._fire(fed, log)
                # Fires when this thread gets no turn for that long.
                faulthandler.dump_traceback_later(fed.limit_s + _WRITING_S, exit=True, file=log)
                with contextlib.suppress(OSError):
                    self._beat()

    def _beat(self) -> None:
        fed = self._fed
        place, waits = where(sys._current_frames().get(self._main))
        since = time.time() - (time.monotonic() - fed.moment)
        self._heartbeats.write(
            Heartbeat(
                self._rank, self._host, os.getpid(), fed.step, fed.phase, since, place, waits, written=time.time()
            )
        )

    def _fire(self, fed: _Fed, log: BinaryIO) -> None:
        """Reports and ends the process. Files are written aside: a dead file system may be what hangs."""
        head = (
            f"rank {self._rank} ({self._host}, pid {os.getpid()}) hangs: {fed.phase} for more than "
            f"{fed.limit_s / 60:.3g} minutes, since {clock_time(time.time() - (time.monotonic() - fed.moment))}"
        )
        stacks = all_stacks(self._main)
        writer = threading.Thread(target=self._tell, args=(head, stacks, log), daemon=True)
        writer.start()
        writer.join(_WRITING_S + 2 * self._round_s)
        os._exit(1)

    def _tell(self, head: str, stacks: str, log: BinaryIO) -> None:
        with contextlib.suppress(OSError):
            self._report.write_text(f"{head}\n\n{stacks}")
            self._beat()
        time.sleep(2 * self._round_s)  # the others notice within a round
        verdict = culprits(self._heartbeats.read(self._world), self._world, 3 * self._round_s + 1.0)
        closing = f"{head}\nwhom the ranks wait for: {verdict}\n"
        with contextlib.suppress(OSError), self._report.open("a") as report:
            report.write(f"\n{closing}")
        # The closing lines come last: they are what `prism run` shows of the log.
        log.write(f"{stacks}\n{closing}stacks of this rank: {self._report}\n".encode())
        log.flush()


def where(frame: FrameType | None) -> tuple[str, bool]:
    """The innermost line of a stack outside of collectives, and whether it waits in one for other ranks."""
    waits = False
    while frame is not None and frame.f_code.co_filename.endswith(_WAITING):
        waits, frame = True, frame.f_back
    if frame is None:
        return "nowhere", waits
    return f"in {frame.f_code.co_name} ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})", waits


def all_stacks(first: int) -> str:
    """Stacks of all threads, innermost call last; of the thread `first` first."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = sorted(sys._current_frames().items(), key=lambda item: item[0] != first)
    return "\n".join(
        f"thread {names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in frames
        if ident != threading.get_ident()
    )
