"""How much worse items have become, and how a bootstrap over the items sees its own error. Pure functions.

An item is a document or a question: what the measure could have drawn otherwise. The degradation of n items is a ratio
of sums,

    D = sum_i a_i / sum_i w_i,    a_i: what item i lost,    w_i: what it weighs,

which is a relative rise when w_i is the loss before, and a mean when w_i is 1. With the residuals r_i = a_i - D w_i its
standard error is s = sqrt(sum_i r_i^2) / sum_i w_i (the delta method). A resample that draws item i c_i times has

    D* - D = sum_i c_i r_i / sum_i c_i w_i,    s* = sqrt(sum_i c_i (r_i - (D* - D) w_i)^2) / sum_i c_i w_i,

and t* = (D* - D) / s* stands for the unknown (D - truth) / s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROWS_AT_ONCE = 2_000


class Resamples:
    """How often each of `items` items is drawn in each of `count` resamples with replacement; fixed by `seed`."""

    def __init__(self, items: int, count: int, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self._counts = np.concatenate(
            [_drawn(generator, items, min(_ROWS_AT_ONCE, count - start)) for start in range(0, count, _ROWS_AT_ONCE)]
        )

    def sums(self, columns: Sequence[Floats]) -> list[Floats]:
        """Every resample's sum of each column: columns of (items,), results of (resamples,)."""
        stacked = np.stack(columns, axis=1)
        scale = np.abs(stacked).max(axis=0)
        scale[scale == 0] = 1.0
        scaled = (stacked / scale).astype(np.float32)
        parts = [
            self._counts[start : start + _ROWS_AT_ONCE].astype(np.float32) @ scaled
            for start in range(0, len(self._counts), _ROWS_AT_ONCE)
        ]
        return list((np.concatenate(parts).astype(np.float64) * scale).T)


@dataclass(frozen=True)
class Degradation:
    """estimate: D. error: its standard error s. studentised: t* of every resample, (resamples,)."""

    estimate: float
    error: float
    studentised: Floats


def degradation(lost: Floats, weights: Floats, resamples: Resamples) -> Degradation:
    """See the formulas above. lost, weights: (items,), float64; the weights sum to more than 0.

    A resample in which nothing varies has an infinite t*, unless it agrees with D.
    """
    total = float(weights.sum())
    estimate = float(lost.sum()) / total
    residuals = lost - estimate * weights
    error = float(np.sqrt((residuals**2).sum())) / total
    first, below, squares, mixed, weights_squared = resamples.sums(
        [residuals, weights, residuals**2, residuals * weights, weights**2]
    )
    below = np.maximum(below, 1e-30)
    shift = first / below
    spread = np.maximum(squares - 2 * shift * mixed + shift**2 * weights_squared, 0.0)
    # what single precision leaves of a variance of zero isn't one
    spread[spread < 1e-6 * squares.mean()] = 0.0
    errors = np.sqrt(spread) / below
    with np.errstate(divide="ignore", invalid="ignore"):
        studentised = shift / errors
    studentised[np.abs(shift) <= 1e-9 * (abs(estimate) + error)] = 0.0
    return Degradation(estimate, error, studentised)


def _drawn(generator: np.random.Generator, items: int, rows: int) -> NDArray[np.uint16]:
    """(rows, items) counts; every row sums to `items`."""
    draws = generator.integers(0, items, size=(rows, items)) + np.arange(rows)[:, None] * items
    return np.bincount(draws.ravel(), minlength=rows * items).reshape(rows, items).astype(np.uint16)
