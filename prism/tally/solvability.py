"""Whether RL comes to solve prompts that were never or hardly ever solved before it (Figure 10 of the paper).

An RL stage notes in each step's metrics, under `hard_prompts`, how many of so many responses were right to each drawn
prompt that had 0 or 1 right ones in the difficulty stage: {"0/16": {"<prompt>": [right, responses]}}.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

Counts = Mapping[str, tuple[int, int]]
"""Right responses and responses by prompt."""

WINDOWS = 10
_Z = 1.959964
"""Of a normal distribution's central 95%."""


class Step(Protocol):
    """A step of RL. hard_prompts: counts by what the prompts were before, "0/16"."""

    @property
    def step(self) -> int: ...
    @property
    def hard_prompts(self) -> Mapping[str, Counts]: ...


@dataclass(frozen=True)
class Window:
    """Pass rate in steps `first` to `last`, a fraction with its 95% interval; how many prompts were drawn in them."""

    first: int
    last: int
    prompts: int
    responses: int
    right: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class Solvability:
    """Prompts that were alike before RL.

    before: right responses of samples before, "0/16".
    prompts: those that RL drew at least once; `solved`: of these, those with at least one right response in any step.
    """

    before: str
    prompts: int
    solved: int
    windows: tuple[Window, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def solvability(steps: Sequence[Step], steps_a_window: int | None = None) -> tuple[Solvability, ...]:
    """A row for each difficulty before RL, hardest first.

    Args: steps_a_window: None makes ten windows.
    """
    if not steps:
        return ()
    size = steps_a_window or max(1, math.ceil(max(one.step for one in steps) / WINDOWS))
    names = sorted({name for one in steps for name in one.hard_prompts}, key=_hardness)
    return tuple(_follow(name, steps, size) for name in names)


def _follow(before: str, steps: Sequence[Step], size: int) -> Solvability:
    windows: dict[int, list[Counts]] = {}
    for one in steps:
        if before in one.hard_prompts:
            windows.setdefault((one.step - 1) // size, []).append(one.hard_prompts[before])
    whole = _summed(counts for found in windows.values() for counts in found)
    last = max(one.step for one in steps)
    rows = tuple(
        _window(number * size + 1, min((number + 1) * size, last), _summed(found))
        for number, found in sorted(windows.items())
    )
    return Solvability(before, len(whole), sum(right > 0 for right, _ in whole.values()), rows)


def _summed(counts: Iterator[Counts] | Sequence[Counts]) -> dict[str, tuple[int, int]]:
    total: dict[str, tuple[int, int]] = {}
    for part in counts:
        for name, (right, responses) in part.items():
            before = total.get(name, (0, 0))
            total[name] = before[0] + right, before[1] + responses
    return total


def _window(first: int, last: int, counts: Counts) -> Window:
    right, responses = (sum(found[place] for found in counts.values()) for place in (0, 1))
    rate = right / responses
    low, high = wilson(rate, _effective(rate, responses, list(counts.values())))
    return Window(first, last, len(counts), responses, right, rate, low, high)


def _effective(rate: float, responses: int, counts: Sequence[tuple[int, int]]) -> float:
    """As many independent responses as say as much: those to one prompt are alike (Korn and Graubard 1998).

    At least the number of prompts, at most that of responses. A rate of 0 or 1 doesn't tell how alike they are: prompts
    count once.
    """
    prompts = len(counts)
    if prompts < 2 or rate in (0.0, 1.0):
        return float(prompts)
    spread = sum((right - rate * size) ** 2 for right, size in counts) / responses**2 * prompts / (prompts - 1)
    return min(float(responses), max(float(prompts), rate * (1 - rate) / spread)) if spread else float(responses)


def wilson(rate: float, count: float) -> tuple[float, float]:
    """Wilson's 95% interval of a share of `count`."""
    middle = (rate + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * math.sqrt(rate * (1 - rate) / count + _Z**2 / (4 * count**2))
    return max(0.0, min(rate, middle - half)), min(1.0, max(rate, middle + half))


def _hardness(before: str) -> tuple[float, str]:
    right, _, samples = before.partition("/")
    return int(right) / max(1, int(samples)), before
