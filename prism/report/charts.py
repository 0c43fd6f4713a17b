"""Charts as inline SVG: lines and bars with axes, gridlines, legend and tooltips; readable without JavaScript."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 560, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 12, 40
_MOST_POINTS = 400
_COLOURS = 8


@dataclass(frozen=True)
class Line:
    """A series: points (x, y); `low` and `high` draw a band around it."""

    name: str
    points: Sequence[tuple[float, float]]
    low: Sequence[float] = field(default_factory=tuple)
    high: Sequence[float] = field(default_factory=tuple)


@dataclass(frozen=True)
class Bars:
    """One bar a category; None leaves a gap. `low` and `high` draw whiskers."""

    name: str
    values: Sequence[float | None]
    low: Sequence[float | None] = field(default_factory=tuple)
    high: Sequence[float | None] = field(default_factory=tuple)


def line_chart(
    lines: Sequence[Line],
    *,
    x: str,
    y: str,
    label: str,
    log: bool = False,
    low: float | None = None,
    high: float | None = None,
) -> str:
    """A line chart.

    Args:
        x, y: axis titles, with units.
        label: what a screen reader says.
        log: logarithmic y axis.
        low, high: fixed ends of the y axis.
    """
    lines = [_thinned(line) for line in lines if line.points]
    if not lines:
        return ""
    xs = [point[0] for line in lines for point in line.points]
    ys = [value for line in lines for value in (*(p[1] for p in line.points), *line.low, *line.high)]
    horizontal = _Axis(min(xs), max(xs), _LEFT, WIDTH - _RIGHT, False)
    vertical = _y_axis(ys, log, low, high)
    parts = [_grid(horizontal, vertical, x, y)]
    for index, line in enumerate(lines):
        colour = index % _COLOURS
        if line.low:
            upper = [(p[0], value) for p, value in zip(line.points, line.high, strict=True)]
            lower = [(p[0], value) for p, value in zip(line.points, line.low, strict=True)]
            path = _path([*upper, *reversed(lower)], horizontal, vertical)
            parts.append(f'<path class="band f{colour}" d="{path}Z"/>')
        parts.append(
            f'<path class="line s{colour}" d="{_path(line.points, horizontal, vertical)}">'
            f"<title>{escape(line.name)}: {_short(line.points[-1][1])} at the end</title></path>"
        )
        if len(line.points) <= 24:
            parts += [
                f'<circle class="f{colour}" r="2.6" cx="{horizontal.at(px):.1f}" cy="{vertical.at(py):.1f}">'
                f"<title>{escape(line.name)}, {_short(px)}: {_short(py)}</title></circle>"
                for px, py in line.points
            ]
    return _figure(parts, [line.name for line in lines], label)


def bar_chart(
    categories: Sequence[str],
    groups: Sequence[Bars],
    *,
    y: str,
    label: str,
    log: bool = False,
    high: float | None = None,
) -> str:
    """Bars side by side in each category."""
    values = [value for group in groups for value in (*group.values, *group.high) if value is not None]
    if log:
        values = [value for value in values if value > 0]
    if not values:
        return ""
    vertical = _y_axis(values, log, None if log else 0.0, high)
    horizontal = _Axis(0, len(categories), _LEFT, WIDTH - _RIGHT, False)
    slot = (WIDTH - _RIGHT - _LEFT) / len(categories)
    width = min(34.0, slot * 0.78 / len(groups))
    parts = [_grid(horizontal, vertical, "", y, ticks=False)]
    floor = HEIGHT - _BOTTOM
    for place, category in enumerate(categories):
        centre = _LEFT + slot * (place + 0.5)
        tilted = len(categories) > 8 or max(map(len, categories)) * 6.2 > slot
        turn = (
            f' transform="rotate(-28 {centre:.1f} {floor + 14})" text-anchor="end"'
            if tilted
            else ' text-anchor="middle"'
        )
        parts.append(f'<text class="tick" x="{centre:.1f}" y="{floor + 16}"{turn}>{escape(category)}</text>')
        for index, group in enumerate(groups):
            value = group.values[place]
            if value is None or (log and value <= 0):
                continue
            left = centre + (index - len(groups) / 2) * width
            top = vertical.at(value)
            parts.append(
                f'<rect class="bar f{index % _COLOURS}" x="{left + 1:.1f}" y="{min(top, floor - 1):.1f}" '
                f'width="{width - 2:.1f}" height="{max(1.0, floor - top):.1f}">'
                f"<title>{escape(category)}, {escape(group.name)}: {_short(value)}</title></rect>"
            )
            if group.low and group.low[place] is not None and group.high[place] is not None:
                middle = left + width / 2
                low_at, high_at = vertical.at(float(group.low[place] or 0)), vertical.at(float(group.high[place] or 0))
                parts.append(f'<path class="whisker" d="M{middle:.1f} {low_at:.1f}V{high_at:.1f}"/>')
    return _figure(parts, [group.name for group in groups], label)


class _Axis:
    def __init__(self, low: float, high: float, start: float, end: float, log: bool) -> None:
        self.low, self.high, self.log = low, high if high > low else low + 1, log
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            value, low, high = (math.log10(max(number, 1e-300)) for number in (value, low, high))
        return self._start + (value - low) / (high - low) * (self._end - self._start)

    def ticks(self) -> list[float]:
        if self.log:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            return [
                10.0**power for power in range(first, last + 1) if self.low <= 10.0**power * 1.0001 <= self.high * 1.001
            ]
        step = _nice((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, int(self.high / step + 1e-9) + 1)]


def _y_axis(values: Sequence[float], log: bool, low: float | None, high: float | None) -> _Axis:
    bottom, top = min(values), max(values)
    if log:
        bottom, top = 10 ** math.floor(math.log10(bottom)), 10 ** math.ceil(math.log10(top * 1.0001))
    else:
        margin = (top - bottom) * 0.06 or abs(top) * 0.1 or 1.0
        bottom, top = bottom - margin, top + margin
    bottom = low if low is not None else bottom
    top = high if high is not None else top
    return _Axis(bottom, top, HEIGHT - _BOTTOM, _TOP, log)


def _nice(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step)) if step > 0 else 1.0
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= step * 0.999)


def _grid(horizontal: _Axis, vertical: _Axis, x: str, y: str, ticks: bool = True) -> str:
    floor = HEIGHT - _BOTTOM
    parts = []
    for value in vertical.ticks():
        at = vertical.at(value)
        parts.append(f'<path class="grid" d="M{_LEFT} {at:.1f}H{WIDTH - _RIGHT}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 7}" y="{at + 3.5:.1f}" text-anchor="end">{_short(value)}</text>')
    if ticks:
        for value in horizontal.ticks():
            at = horizontal.at(value)
            parts.append(
                f'<text class="tick" x="{at:.1f}" y="{floor + 16}" text-anchor="middle">{_short(value)}</text>'
            )
    parts.append(f'<path class="axis" d="M{_LEFT} {floor}H{WIDTH - _RIGHT}"/>')
    middle = (_TOP + floor) / 2
    parts.append(
        f'<text class="title" x="{(WIDTH + _LEFT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x)}</text>'
    )
    parts.append(
        f'<text class="title" transform="rotate(-90 14 {middle})" x="14" y="{middle}" text-anchor="middle">{escape(y)}</text>'
    )
    return "".join(parts)


def _figure(parts: Sequence[str], names: Sequence[str], label: str) -> str:
    legend = "".join(f'<li><i class="b{index % _COLOURS}"></i>{escape(name)}</li>' for index, name in enumerate(names))
    key = f'<ul class="legend">{legend}</ul>' if len(names) > 1 else ""
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    return f"<figure><figcaption>{escape(label)}</figcaption>{svg}{key}</figure>"


def _path(points: Sequence[tuple[float, float]], horizontal: _Axis, vertical: _Axis) -> str:
    return "M" + "L".join(f"{horizontal.at(x):.1f} {vertical.at(y):.1f}" for x, y in points)


def _thinned(line: Line) -> Line:
    """Means over runs of points, so that a long curve stays small and its noise doesn't hide its course."""
    size = -(-len(line.points) // _MOST_POINTS)
    if size <= 1:
        return line
    chunks = [line.points[start : start + size] for start in range(0, len(line.points), size)]
    return Line(
        line.name, [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in chunks]
    )


def _short(value: float) -> str:
    """Four significant digits at most, without trailing zeros."""
    if value == 0:
        return "0"
    if abs(value) >= 10_000 or abs(value) < 1e-3:
        text = f"{value:.2g}"
        return text.replace("e-0", "e-").replace("e+0", "e")
    return f"{value:.4g}"


def smoothed(points: Sequence[tuple[float, float]], width: int) -> list[tuple[float, float]]:
    """Running mean over `width` points; the first ones average what there is."""
    result, total = [], 0.0
    for index, (x, y) in enumerate(points):
        total += y
        if index >= width:
            total -= points[index - width][1]
        result.append((x, total / min(index + 1, width)))
    return result
