"""Axes: from data to positions, and the ticks between."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """Maps `low..high` onto `start..end` (pixels), linearly or by logarithm."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (math.log10(x) if self.log else x for x in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def shows(self, value: float) -> bool:
        return math.isfinite(value) and (value > 0 or not self.log)


def linear_scale(
    values: Iterable[float],
    start: float,
    end: float,
    *,
    low: float | None = None,
    high: float | None = None,
    ticks: int = 5,
    nice: bool = True,
    whole: bool = False,
) -> Scale:
    """Covers all finite `values`, and `low` and `high` where given; `nice` widens it to whole ticks.

    `whole` puts ticks at whole numbers only.
    """
    finite = [value for value in values if math.isfinite(value)]
    bottom = min(finite, default=0.0) if low is None else min([low, *finite])
    top = max(finite, default=1.0) if high is None else max([high, *finite])
    if top - bottom < 1e-12 * max(1.0, abs(top)):
        margin = abs(top) * 0.1 or 1.0
        bottom, top = bottom - (margin if low is None else 0), top + margin
    step = _step(top - bottom, ticks)
    if whole:
        step = max(1.0, math.ceil(step))
    if nice:
        bottom = bottom if low is not None and bottom == low else math.floor(bottom / step + 1e-9) * step
        top = top if high is not None and top == high else math.ceil(top / step - 1e-9) * step
    first, last = math.ceil(bottom / step - 1e-9), math.floor(top / step + 1e-9)
    marks = tuple(_clean(number * step) for number in range(first, last + 1))
    return Scale(bottom, top, start, end, marks)


def log_scale(values: Iterable[float], start: float, end: float) -> Scale:
    """Covers all positive `values`, from a 1, 2 or 5 to another; ticks at decades where there are more than two."""
    positive = [value for value in values if math.isfinite(value) and value > 0] or [0.1, 1.0]
    bottom, top = math.log10(min(positive)), math.log10(max(positive))
    marks = [
        factor * 10.0**power for power in range(math.floor(bottom) - 1, math.ceil(top) + 2) for factor in (1, 2, 5)
    ]
    below = max((mark for mark in marks if mark <= 10**bottom * 1.0001), default=marks[0])
    above = min((mark for mark in marks if mark >= 10**top * 0.9999 and mark > below), default=marks[-1])
    ticks = tuple(mark for mark in marks if below <= mark <= above)
    if top - bottom > 2:
        first, last = math.ceil(math.log10(below) - 1e-9), math.floor(math.log10(above) + 1e-9)
        stride = max(1, math.ceil((last - first) / 6))
        ticks = tuple(10.0**power for power in range(first, last + 1, stride))
    return Scale(below, above, start, end, ticks, log=True)


def tick_label(value: float) -> str:
    """Of a tick, short: 0, 0.25, 40, 20k, 1e-5."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e9 or size < 1e-4:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        return f"{float(mantissa):g}e{int(exponent)}".replace("-", "−")
    for bound, letter in ((1e6, "M"), (1e3, "k")):
        if size >= bound:
            return f"{value / (1e6 if letter == 'M' else 1e3):g}{letter}".replace("-", "−")
    return f"{value:.6g}".replace("-", "−")


def _step(span: float, count: int) -> float:
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in _STEPS if step * power >= rough * 0.999)


def _clean(value: float) -> float:
    return float(f"{value:.10g}")
