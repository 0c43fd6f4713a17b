"""Means with bootstrap intervals, pass@k, and the paper's macro average. Pure functions on plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prism.paper.averages import macro_average as macro_average

RESAMPLES = 1_000
LEVEL = 0.95
_SEED = 20_260_317
_RESAMPLES_AT_ONCE = 50


@dataclass(frozen=True)
class Interval:
    """An estimate and its bootstrap interval (95%, percentile method, prompts resampled)."""

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def mean_interval(values: Sequence[float]) -> Interval:
    """Mean of one value a prompt. With several samples a prompt, pass the mean of its samples.

    Raises:
        ValueError: there are no values.
    """
    return ratio_interval(values, [1.0] * len(values))


def ratio_interval(numerators: Sequence[float], denominators: Sequence[float]) -> Interval:
    """sum(numerators) / sum(denominators), such as bits per byte; pairs are resampled together.

    Raises:
        ValueError: there are no pairs, or the denominators sum to zero.
    """
    above = np.asarray(numerators, dtype=np.float64)
    below = np.asarray(denominators, dtype=np.float64)
    if above.size == 0 or below.sum() == 0:
        raise ValueError("an interval needs at least one value with a weight")
    ratios = np.concatenate([(counts @ above) / (counts @ below) for counts in _resamples(above.size)])
    low, high = np.quantile(ratios, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(above.sum() / below.sum()), float(low), float(high))


def _resamples(size: int) -> list[NDArray[np.float64]]:
    """How often each of `size` prompts is drawn, (resamples, size), in parts that bound the memory."""
    generator = np.random.default_rng(_SEED)
    shares = np.full(size, 1 / size)
    return [
        generator.multinomial(size, shares, size=_RESAMPLES_AT_ONCE).astype(np.float64)
        for _ in range(RESAMPLES // _RESAMPLES_AT_ONCE)
    ]


def several(samples: int) -> list[int]:
    """For which k pass@k is told of so many samples: 2, 4, 8 ... and all of them."""
    powers = [2**power for power in range(1, samples.bit_length()) if 2**power < samples]
    return [*powers, samples] if samples > 1 else []


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Unbiased chance that at least one of `k` samples is right: 1 - C(n - c, k) / C(n, k) (Chen et al. 2021).

    Raises:
        ValueError: k isn't within 1..samples.
    """
    if not 1 <= k <= samples:
        raise ValueError(f"pass@{k} needs at least {k} samples and k >= 1, there are {samples}")
    return 1.0 - comb(samples - correct, k) / comb(samples, k)
