"""The compiled sums over elements: one pass, in float64, the comparisons that numpy makes of whole arrays.

An element counts as unchanged at a factor f when |new - old| < |old| f, or when both are zero. Narrower floats are
exact in float64, so is what is compared. Factors come `GROUP` at a time, unrolled by hand: their counts stay in
registers.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

GROUP = 6
"""As many as the paper's thresholds."""

Floats = NDArray[Any]
Doubles = NDArray[np.float64]
Counts = NDArray[np.int64]

_compiled = numba.njit(cache=True, nogil=True, fastmath={"reassoc"})  # sums may be reordered, nothing else
_PIECE = 1024
_HALF = np.uint32(16)


@_compiled
def _widen_bf16(values: NDArray[np.uint16], bits: NDArray[np.uint32]) -> None:
    for at in range(len(values)):
        bits[at] = np.uint32(values[at]) << _HALF


@_compiled
def add_change(old: Floats, new: Floats, factors: Doubles, sums: Doubles, unchanged: Counts) -> None:
    """Adds squared change and squared old to `sums`, the elements unchanged at each of six factors to `unchanged`.

    Both flat, of one length and type: float32 or float64.
    """
    f0, f1, f2, f3, f4, f5 = factors[0], factors[1], factors[2], factors[3], factors[4], factors[5]
    n0 = n1 = n2 = n3 = n4 = n5 = zeros = 0
    changes = olds = 0.0
    for at in range(len(old)):
        first, second = np.float64(old[at]), np.float64(new[at])
        change, size = abs(second - first), abs(first)
        changes += change * change
        olds += size * size
        n0 += change < size * f0
        n1 += change < size * f1
        n2 += change < size * f2
        n3 += change < size * f3
        n4 += change < size * f4
        n5 += change < size * f5
        zeros += (first == 0.0) & (second == 0.0)
    sums[0] += changes
    sums[1] += olds
    unchanged[0] += n0 + zeros
    unchanged[1] += n1 + zeros
    unchanged[2] += n2 + zeros
    unchanged[3] += n3 + zeros
    unchanged[4] += n4 + zeros
    unchanged[5] += n5 + zeros


@_compiled
def add_change_bf16(
    old: NDArray[np.uint16], new: NDArray[np.uint16], factors: Doubles, sums: Doubles, unchanged: Counts
) -> None:
    """The same of bf16, given as its bits; a piece at a time is widened in a core's first cache."""
    first, second = np.empty(_PIECE, np.uint32), np.empty(_PIECE, np.uint32)
    for start in range(0, len(old), _PIECE):
        end = min(len(old), start + _PIECE)
        _widen_bf16(old[start:end], first)
        _widen_bf16(new[start:end], second)
        wide = first[: end - start].view(np.float32), second[: end - start].view(np.float32)
        add_change(wide[0], wide[1], factors, sums, unchanged)


@_compiled
def add_relation(
    old: Floats, new: Floats, old_too: Floats, new_too: Floats, factors: Doubles, sums: Doubles, changed: Counts
) -> None:
    """Adds products of two changes to `sums` (first with second, first, second), and to `changed`, (3, factors), the
    elements that changed in the first, in the second, in both. At factor 0 every other value is a change.
    """
    for start in range(0, len(old), _PIECE):
        end = min(len(old), start + _PIECE)
        dot = first = second = 0.0
        for at in range(start, end):
            change = np.float64(new[at]) - np.float64(old[at])
            change_too = np.float64(new_too[at]) - np.float64(old_too[at])
            dot += change * change_too
            first += change * change
            second += change_too * change_too
        sums[0] += dot
        sums[1] += first
        sums[2] += second
        for number in range(len(factors)):
            factor = factors[number]
            one = other = both = 0
            for at in range(start, end):
                size, size_too = abs(np.float64(old[at])), abs(np.float64(old_too[at]))
                change = abs(np.float64(new[at]) - np.float64(old[at]))
                change_too = abs(np.float64(new_too[at]) - np.float64(old_too[at]))
                moved = (change != 0.0) & (change >= size * factor)
                moved_too = (change_too != 0.0) & (change_too >= size_too * factor)
                one += moved
                other += moved_too
                both += moved & moved_too
            changed[0, number] += one
            changed[1, number] += other
            changed[2, number] += both
