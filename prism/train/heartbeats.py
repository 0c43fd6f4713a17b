"""What each rank of a stage does now, in small files that the others can read when nothing else reaches it."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Heartbeat:
    """A rank at one moment. Times are seconds since 1970, by the rank's own clock.

    phase: what it does, such as `step 42`; `left` once it trains no more.
    place: innermost line of Python that the main thread is in.
    waits: whether that thread waits in a collective for the other ranks.
    written: when this was written; an old one means that the rank is dead, stopped or holds the interpreter.
    """

    rank: int
    host: str
    pid: int
    step: int
    phase: str
    since: float
    place: str
    waits: bool
    written: float

    def __str__(self) -> str:
        return (
            f"rank {self.rank} ({self.host}, pid {self.pid}): {self.phase} since {clock_time(self.since)}, {self.place}"
        )


class Heartbeats:
    """The files of a stage; each rank writes its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def write(self, beat: Heartbeat) -> None:
        """Replaces the rank's file at once, so that nobody reads half of it."""
        self._directory.mkdir(parents=True, exist_ok=True)
        file = self._file(beat.rank)
        new = file.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(asdict(beat)))
        new.replace(file)

    def read(self, world_size: int) -> list[Heartbeat]:
        """Of all ranks that have one."""
        found = []
        for rank in range(world_size):
            with contextlib.suppress(OSError, ValueError, TypeError):
                found.append(Heartbeat(**json.loads(self._file(rank).read_text())))
        return found

    def remove(self, rank: int) -> None:
        """The rank has ended well; the last one takes the folder along."""
        self._file(rank).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._directory.rmdir()

    def _file(self, rank: int) -> Path:
        return self._directory / f"rank{rank}.json"


def culprits(beats: Sequence[Heartbeat], world_size: int, silent_after: float) -> str:
    """Whom the others wait for, in words; of what is known, the strongest sign counts.

    A rank without a heartbeat for `silent_after` seconds, then one that left, then one that is at an earlier step, then
    one that waits for nobody while others do, then one that is where most of the others aren't.
    """
    newest = max((beat.written for beat in beats), default=0.0)
    missing = sorted(set(range(world_size)) - {beat.rank for beat in beats})
    if missing:
        return f"rank {', '.join(map(str, missing))}, which never gave a sign of life"
    silent = [beat for beat in beats if newest - beat.written > silent_after and beat.phase != LEFT]
    if silent:
        return _say(silent, "gave no sign of life lately; its process is dead, stopped or doesn't let Python run")
    left = [beat for beat in beats if beat.phase == LEFT]
    if left and len(left) < len(beats):
        return _say(left, f"trains no more, others are at step {max(beat.step for beat in beats)}")
    behind = [beat for beat in beats if beat.step < max(other.step for other in beats)]
    if behind:
        return _say(behind, f"is behind, others are at step {max(beat.step for beat in beats)}")
    busy = [beat for beat in beats if not beat.waits]
    if busy and len(busy) < len(beats):
        return _say(busy, "waits for nobody, while the others wait in a collective")
    if not busy:
        return "every rank waits in a collective: a network fault, or ranks that call different ones"
    usual, ranks = Counter(beat.place for beat in beats).most_common(1)[0]
    apart = [beat for beat in beats if beat.place != usual]
    if apart and ranks > len(beats) / 2:
        return _say(apart, f"is elsewhere than the others, who are {usual}")
    return "no rank tells by where it is; compare the stacks of all ranks"


LEFT = "left"


def clock_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _say(beats: Sequence[Heartbeat], why: str) -> str:
    return "; ".join(f"{beat}: {why}" for beat in beats)
