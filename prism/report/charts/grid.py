"""Grids: a value for every named row and numbered column as squares, by logarithm, the fuller the larger."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from prism.report.charts.data import Cell, Data
from prism.report.charts.figure import Figure
from prism.report.charts.lines import WIDTH
from prism.report.charts.svg import element, number, text, title
from prism.report.numbers import significant

ROW, TOP, BOTTOM, RIGHT = 26.0, 8.0, 60.0, 14.0
_CHARACTER = 7.2
_WIDEST = 74.0
_TICKS = 10
_FAINTEST, _FULLEST = 0.08, 1.0
_MOST_TITLES = 600
_SHADES = 5


def grid_chart(
    heading: str, rows: Mapping[str, Mapping[int, float]], columns: str, unit: str, *, note: str = ""
) -> Figure | None:
    """A figure of rows -> column -> value; what isn't there stays empty. None where no value is above 0.

    Args:
        columns: what the columns' numbers stand for.
        unit: of the values.
    """
    known = [value for row in rows.values() for value in row.values() if value > 0 and math.isfinite(value)]
    places = sorted({place for row in rows.values() for place in row})
    if not known:
        return None
    low, high = math.log(min(known)), math.log(max(known))
    left = 18 + _CHARACTER * max(map(len, rows))
    width = min(_WIDEST, (WIDTH - RIGHT - left) / len(places))
    floor = TOP + ROW * len(rows)
    speaks = len(rows) * len(places) <= _MOST_TITLES
    marks = []
    for line, (name, row) in enumerate(rows.items()):
        marks.append(text(name, left - 10, TOP + ROW * (line + 0.5) + 4, "row", "end"))
        for place, value in row.items():
            x = left + width * places.index(place)
            spoken = [title(f"{name}, {columns} {place}: {significant(value)}")] if speaks else []
            marks.append(_square(x, TOP + ROW * line, width, ROW, _shade(value, low, high), spoken))
    for place in places[:: max(1, -(-len(places) // _TICKS))]:
        marks.append(text(str(place), left + width * (places.index(place) + 0.5), floor + 16, "tick", "middle"))
    marks.append(text(columns, left + width * len(places) / 2, floor + 32, "label", "middle"))
    marks += _scale(left, floor + 42, low, high, unit)
    svg = element(
        "svg",
        marks,
        viewBox=f"0 0 {number(WIDTH)} {number(floor + BOTTOM)}",
        class_="chart heat",
        role="img",
        aria_label=f"{heading}: {unit} of {len(rows)} parts by {columns}",
    )
    return Figure(heading, svg, (), note, _table(rows, places, columns))


def _shade(value: float, low: float, high: float) -> float:
    if value <= 0 or not math.isfinite(value):
        return 0.0
    share = (math.log(value) - low) / (high - low) if high > low else 1.0
    return _FAINTEST + (_FULLEST - _FAINTEST) * share


def _square(x: float, y: float, width: float, height: float, shade: float, spoken: Sequence[Markup]) -> Markup:
    return element("rect", spoken, x=x, y=y, width=width, height=height, class_="cell c0", fill_opacity=f"{shade:.2f}")


def _scale(left: float, y: float, low: float, high: float, unit: str) -> list[Markup]:
    """What the shades stand for: the least value, the squares from it to the largest, and that."""
    least, most = significant(math.exp(low), 2), significant(math.exp(high), 2)
    start = left + _CHARACTER * len(least)
    shades = [_FAINTEST + (_FULLEST - _FAINTEST) * step / (_SHADES - 1) for step in range(_SHADES)]
    squares = [_square(start + 18 * step, y, 18, 12, shade, ()) for step, shade in enumerate(shades)]
    end = start + 18 * _SHADES + 6
    return [text(least, left, y + 10, "tick"), *squares, text(f"{most} {unit}", end, y + 10, "tick")]


def _table(rows: Mapping[str, Mapping[int, float]], places: Sequence[int], columns: str) -> Data:
    lines: list[tuple[Cell, ...]] = [(name, *(row.get(place) for place in places)) for name, row in rows.items()]
    return Data(("part", *(f"{columns} {place}" for place in places)), tuple(lines))
