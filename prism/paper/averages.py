"""Averages as the paper's section 13 defines them. Pure functions on plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

from prism.paper.benchmarks import benchmarks


def macro_average(code: Sequence[float], math: Sequence[float], science: float) -> float:
    """AVG: mean of the code mean, the math mean and GPQA-Diamond."""
    return (sum(code) / len(code) + sum(math) / len(math) + science) / 3


def mean_of(average: str, values: Mapping[str, float | None]) -> float | None:
    """An average of benchmarks.yaml, from its parts' own parts down to the benchmarks.

    Args:
        values: by benchmark. Averages among them aren't read: they may be rounded.

    Returns:
        None where a benchmark is missing: an average over fewer would be another figure.
    """
    known = benchmarks()
    parts = [
        mean_of(part, values) if part in known.averages else values.get(part) for part in known.averages[average].parts
    ]
    found = [part for part in parts if part is not None]
    return sum(found) / len(found) if len(found) == len(parts) else None


def above_chance(accuracy: float, choices: int) -> float:
    """An accuracy (a fraction) with what guessing gives as 0 and all right as 1; less than guessing is 0 too.

    Source: how the Open LLM Leaderboard v2 rescales its scores.
    """
    guessed = 1 / choices
    return max(0.0, (accuracy - guessed) / (1 - guessed))


def combine(parts: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Mean of independent estimates with its interval: value, low, high.

    Distances to the bounds add as squares, each side by itself, so bounds that lie unevenly around a value stay so
    (MOVER; Zou and Donner, Statistics in Medicine 27, 2008).

    Raises:
        ValueError: there are no parts.
    """
    if not parts:
        raise ValueError("a mean needs at least one part")
    count = len(parts)
    value = sum(part[0] for part in parts) / count
    below = sqrt(sum((part[0] - part[1]) ** 2 for part in parts)) / count
    above = sqrt(sum((part[2] - part[0]) ** 2 for part in parts)) / count
    return value, value - below, value + above
