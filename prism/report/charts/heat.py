"""Heat maps: a matrix of values from 0 up as squares, the fuller the larger."""

from __future__ import annotations

from collections.abc import Sequence

from prism.report.charts.data import Cell, Data
from prism.report.charts.figure import Figure
from prism.report.charts.lines import WIDTH
from prism.report.charts.svg import element, number, text, title

LEFT, TOP, BOTTOM = 46.0, 24.0, 36.0
_LARGEST_CELL = 52.0
_MOST_TITLES = 400
_TICKS = 8


def heat_map(
    heading: str,
    matrix: Sequence[Sequence[float]],
    rows: str,
    columns: str,
    *,
    note: str = "",
    names: tuple[Sequence[str], Sequence[str]] | None = None,
    full: float = 1.0,
) -> Figure | None:
    """A figure of `matrix`, (rows, columns), the first row at the bottom; None where it is empty.

    Args:
        rows, columns: what they stand for.
        names: of each row and of each column; None numbers them from 0.
        full: the value of a full square.
    """
    if not matrix or not matrix[0]:
        return None
    height, width = len(matrix), len(matrix[0])
    left, below = names if names is not None else ([*map(str, range(height))], [*map(str, range(width))])
    cell = min(_LARGEST_CELL, (WIDTH - LEFT) / width, (WIDTH - LEFT) / height)
    floor = TOP + cell * height
    speaks = height * width <= _MOST_TITLES
    marks = [text(rows, 0, 12, "label"), text(columns, LEFT + cell * width / 2, floor + 32, "label", "middle")]
    for place in _ticks(height):
        marks.append(text(left[place], LEFT - 8, floor - cell * (place + 0.5) + 4, "tick", "end"))
    for place in _ticks(width):
        marks.append(text(below[place], LEFT + cell * (place + 0.5), floor + 16, "tick", "middle"))
    for row, values in enumerate(matrix):
        for column, value in enumerate(values):
            spoken = [title(f"{rows} {left[row]}, {columns} {below[column]}: {value:.3f}")] if speaks else []
            marks.append(
                element(
                    "rect",
                    spoken,
                    x=LEFT + cell * column,
                    y=floor - cell * (row + 1),
                    width=cell,
                    height=cell,
                    class_="cell c0",
                    fill_opacity=f"{min(1.0, max(0.0, value / full)):.2f}",
                )
            )
    svg = element(
        "svg",
        marks,
        viewBox=f"0 0 {number(WIDTH)} {number(floor + BOTTOM)}",
        class_="chart heat",
        role="img",
        aria_label=f"{heading}: {rows} by {columns}",
    )
    return Figure(heading, svg, (), note, _table(matrix, f"{rows} \\ {columns}", left, below))


def _table(matrix: Sequence[Sequence[float]], corner: str, left: Sequence[str], below: Sequence[str]) -> Data:
    lines: list[tuple[Cell, ...]] = [(float(name), *row) for name, row in zip(left, matrix, strict=True)]
    return Data((corner, *below), tuple(lines))


def _ticks(count: int) -> range:
    return range(0, count, max(1, -(-count // _TICKS)))
