"""What is wrong with a response whatever its answer: pure functions of its tokens, each from 0 to 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def repeats(tokens: Sequence[int], *, run: int, times: int, share: float) -> bool:
    """Whether runs of `run` tokens that occur `times` times or more cover at least `share` of the tokens.

    Occurrences may overlap. With a share of 0 a single repeated run is enough.
    """
    runs = list(zip(*(tokens[start:] for start in range(run)), strict=False))
    repeated = {one for one, count in Counter(runs).items() if count >= times}
    if not repeated:
        return False
    covered = end = 0
    for start, one in enumerate(runs):
        if one in repeated:
            covered += start + run - max(start, end)
            end = start + run
    return covered >= share * len(tokens)


def overlong(length: int, *, start: int, full: int) -> float:
    """0 up to `start` tokens, 1 from `full` tokens on, a straight line between (DAPO's soft overlong punishment)."""
    return min(1.0, max(0.0, (length - start) / (full - start)))
