"""Dot charts: one row a thing, marks on a shared axis, intervals as whiskers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from prism.report.charts.data import Cell, Data, without_empty_columns
from prism.report.charts.figure import Figure, Key
from prism.report.charts.lines import WIDTH, Axis
from prism.report.charts.scale import Scale, linear_scale, log_scale, tick_label
from prism.report.charts.svg import colour, element, line, number, text, title
from prism.report.numbers import significant

ROW = 26.0
TOP, BOTTOM, RIGHT = 8.0, 40.0, 22.0
_CHARACTER = 7.2
_APART = 7.0


@dataclass(frozen=True)
class Mark:
    """A value of a series, with an interval where it has one."""

    series: int
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Row:
    label: str
    marks: tuple[Mark, ...]
    strong: bool = False


@dataclass(frozen=True)
class DotSeries:
    name: str
    colour: int
    hollow: bool = False


def dot_chart(
    heading: str,
    series: Sequence[DotSeries],
    rows: Sequence[Row],
    x: Axis,
    *,
    note: str = "",
    unit: str = "",
    joined: bool = False,
) -> Figure | None:
    """A figure with one line a row; `joined` ties the marks of a row together. None where no row has a mark."""
    if not any(row.marks for row in rows):
        return None
    left = 18 + _CHARACTER * max(len(row.label) for row in rows)
    height = TOP + ROW * len(rows) + BOTTOM
    values = [bound for row in rows for mark in row.marks for bound in (mark.value, mark.low, mark.high)]
    known = [value for value in values if value is not None]
    span = (left, WIDTH - RIGHT)
    xs = log_scale(known, *span) if x.log else linear_scale(known, *span, low=x.low, high=x.high, ticks=5)
    marks = [element("g", _axis(xs, height), class_="axes")]
    for number_, row in enumerate(rows):
        marks += _row(row, TOP + ROW * (number_ + 0.5), left, xs, series, unit, joined)
    marks.append(text(x.label, (left + WIDTH - RIGHT) / 2, height - 6, "label", "middle"))
    svg = element(
        "svg",
        marks,
        viewBox=f"0 0 {number(WIDTH)} {number(height)}",
        class_="chart dots",
        role="img",
        aria_label=f"{heading}: {x.label}",
    )
    used = {mark.series for row in rows for mark in row.marks}
    legend = tuple(
        Key(one.name, colour(one.colour), "ring" if one.hollow else "dot")
        for index, one in enumerate(series)
        if index in used
    )
    return Figure(heading, svg, legend if len(legend) > 1 else (), note, _table(series, rows, x))


def _table(series: Sequence[DotSeries], rows: Sequence[Row], x: Axis) -> Data:
    columns = ["", *(f"{one.name}{end}" for one in series for end in (f" ({x.label})", ", low", ", high"))]
    lines: list[list[Cell]] = []
    for row in rows:
        marks = {mark.series: mark for mark in row.marks}
        cells: list[Cell] = [row.label]
        for index in range(len(series)):
            mark = marks.get(index)
            cells += [None] * 3 if mark is None else [mark.value, mark.low, mark.high]
        lines.append(cells)
    return without_empty_columns(columns, lines)


def _axis(xs: Scale, height: float) -> list[Markup]:
    floor, marks = height - BOTTOM, []
    for tick in xs.ticks:
        place = xs(tick)
        marks.append(line(place, TOP, place, floor, "grid"))
        marks.append(text(tick_label(tick), place, floor + 16, "tick", "middle"))
    if not xs.log and xs.low < 0 < xs.high:
        marks.append(line(xs(0), TOP, xs(0), floor, "axis"))
    return marks


def _row(
    row: Row, y: float, left: float, xs: Scale, series: Sequence[DotSeries], unit: str, joined: bool
) -> list[Markup]:
    shown = [mark for mark in row.marks if xs.shows(mark.value)]
    drawn = [text(row.label, left - 12, y + 4, "row strong" if row.strong else "row", "end")]
    if joined and len(shown) > 1:
        ends = [xs(mark.value) for mark in shown]
        drawn.append(line(min(ends), y, max(ends), y, "join"))
    apart = 0.0 if joined else _APART
    for whisker in (True, False):
        for mark in shown:
            one = series[mark.series]
            height = y + apart * (mark.series - (len(series) - 1) / 2)
            shape = _whisker(mark, one, height, xs) if whisker else _dot(row.label, mark, one, height, xs, unit)
            if shape is not None:
                drawn.append(element("g", [shape], class_="series", data_series=one.name))
    return drawn


def _whisker(mark: Mark, one: DotSeries, y: float, xs: Scale) -> Markup | None:
    if mark.low is None or mark.high is None:
        return None
    return line(xs(mark.low), y, xs(mark.high), y, f"whisker {colour(one.colour)}")


def _dot(label: str, mark: Mark, one: DotSeries, y: float, xs: Scale, unit: str) -> Markup:
    spoken = f"{label}, {one.name}: {significant(mark.value, 4)}{unit}"
    if mark.low is not None and mark.high is not None:
        spoken += f" (95% interval {significant(mark.low, 3)} to {significant(mark.high, 3)})"
    style = "ring" if one.hollow else "dot"
    return element("circle", [title(spoken)], cx=xs(mark.value), cy=y, r=4.4, class_=f"{style} {colour(one.colour)}")
