"""Fewer points for long curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

Point = tuple[float, float]

MOST_POINTS = 400


def downsample(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most `most` points: each the mean of as many neighbours. Points that aren't finite are left out."""
    finite = [point for point in points if math.isfinite(point[1])]
    if len(finite) <= most:
        return finite
    size = math.ceil(len(finite) / most)
    return [_mean(finite[start : start + size]) for start in range(0, len(finite), size)]


def running_mean(points: Sequence[Point], window: int) -> list[Point]:
    """Each point the mean of the `window` points around it, of as many as there are at both ends. Same x."""
    finite = [point for point in points if math.isfinite(point[1])]
    sums = [0.0, *accumulate(y for _, y in finite)]
    smooth = []
    for index, (x, _) in enumerate(finite):
        first, last = max(0, index - window // 2), min(len(finite), index + window // 2 + 1)
        smooth.append((x, (sums[last] - sums[first]) / (last - first)))
    return smooth


def _mean(points: Sequence[Point]) -> Point:
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
