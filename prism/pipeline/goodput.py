"""Goodput: which share of the time that machines were held for a stage went into steps that count.

A step that a killed try did and the next did again counts once. The rest is start-up, saving, validation, and work that
was lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.files import read_jsonl
from prism.pipeline.attempts import Attempt


@dataclass(frozen=True)
class Goodput:
    """Of one node, over all its tries.

    held_s: seconds that its processes had their machines; of a try that was killed, up to its last sign of life.
    productive_s: seconds of its steps, each once; None where it has no steps.
    """

    tries: int
    held_s: float
    productive_s: float | None

    @property
    def share(self) -> float | None:
        """productive_s / held_s."""
        if self.productive_s is None or self.held_s <= 0:
            return None
        return min(1.0, self.productive_s / self.held_s)

    def as_event(self) -> Mapping[str, object]:
        """A line of the manifest."""
        return {
            "goodput": {
                "tries": self.tries,
                "held_s": round(self.held_s, 3),
                "productive_s": None if self.productive_s is None else round(self.productive_s, 3),
                "share": None if self.share is None else round(self.share, 4),
            }
        }


def goodput(tried: Sequence[Attempt], metrics: Path, now: float | None = None) -> Goodput:
    """From a node's tries and its metrics.jsonl.

    Args:
        now: seconds since 1970, for a try that still runs; None leaves it out.
    """
    held = sum(max(0.0, end - attempt.began) for attempt in tried if (end := attempt.ended or now) is not None)
    return Goodput(len(tried), held, _productive(metrics))


def _productive(metrics: Path) -> float | None:
    if not metrics.exists():
        return None
    seconds = {}
    for row in read_jsonl(metrics):
        timing = row.get("timing")
        if isinstance(timing, dict) and isinstance(timing.get("seconds"), int | float):
            seconds[row.get("step")] = float(timing["seconds"])
    return sum(seconds.values()) if seconds else None
