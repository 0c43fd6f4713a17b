"""Horizontal bars, one a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prism.report.charts.data import Cell, Data, without_empty_columns
from prism.report.charts.figure import Figure, Key
from prism.report.charts.lines import WIDTH
from prism.report.charts.scale import linear_scale
from prism.report.charts.svg import colour, element, number, text, title

ROW, TOP, VALUE_WIDTH = 24.0, 4.0, 84.0
_CHARACTER = 7.2


@dataclass(frozen=True)
class Part:
    series: int
    value: float
    label: str


@dataclass(frozen=True)
class Bar:
    """A row: parts side by side, and the text at their end."""

    label: str
    parts: tuple[Part, ...]
    text: str


def bar_chart(heading: str, series: Sequence[tuple[str, int]], bars: Sequence[Bar], *, note: str = "") -> Figure | None:
    """`series` are (name, colour). None where there is no bar."""
    if not bars:
        return None
    left = 18 + _CHARACTER * max(len(bar.label) for bar in bars)
    height = TOP * 2 + ROW * len(bars)
    longest = max(sum(part.value for part in bar.parts) for bar in bars)
    xs = linear_scale([longest], left, WIDTH - VALUE_WIDTH, low=0.0, high=longest, nice=False)
    marks = []
    for index, bar in enumerate(bars):
        y, reach = TOP + ROW * index, left
        marks.append(text(bar.label, left - 12, y + 16, "row", "end"))
        for part in bar.parts:
            width = max(xs(part.value) - left, 0.5)
            name, tint = series[part.series]
            spoken = title(f"{bar.label}, {name}: {part.label}")
            shape = element(
                "rect", [spoken], x=reach, y=y + 5, width=width, height=ROW - 10, rx=2, class_=f"bar {colour(tint)}"
            )
            marks.append(element("g", [shape], class_="series", data_series=name))
            reach += width
        marks.append(text(bar.text, reach + 8, y + 16, "tick"))
    svg = element(
        "svg",
        marks,
        viewBox=f"0 0 {number(WIDTH)} {number(height)}",
        class_="chart bars",
        role="img",
        aria_label=heading,
    )
    used = {part.series for bar in bars for part in bar.parts}
    legend = tuple(Key(name, colour(tint), "dot") for index, (name, tint) in enumerate(series) if index in used)
    return Figure(heading, svg, legend, note, _table([name for name, _ in series], bars))


def _table(names: Sequence[str], bars: Sequence[Bar]) -> Data:
    rows: list[list[Cell]] = []
    for bar in bars:
        sums: dict[int, float] = {}
        for part in bar.parts:
            sums[part.series] = sums.get(part.series, 0.0) + part.value
        rows.append([bar.label, *(sums.get(index) for index in range(len(names)))])
    return without_empty_columns(["", *names], rows)
