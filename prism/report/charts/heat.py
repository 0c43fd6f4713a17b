"""Heat maps: a matrix of values between 0 and 1 as squares, the fuller the larger."""

from __future__ import annotations

from collections.abc import Sequence

from prism.report.charts.data import Cell, Data
from prism.report.charts.figure import Figure
from prism.report.charts.lines import WIDTH
from prism.report.charts.svg import element, number, text, title

LEFT, TOP, BOTTOM = 46.0, 24.0, 36.0
_LARGEST_CELL = 34.0
_MOST_TITLES = 400
_TICKS = 8


def heat_map(
    heading: str, matrix: Sequence[Sequence[float]], rows: str, columns: str, *, note: str = ""
) -> Figure | None:
    """A figure of `matrix`, (rows, columns), the first row at the bottom; None where it is empty.

    Args:
        rows, columns: what their numbers, which begin at 0, stand for.
    """
    if not matrix or not matrix[0]:
        return None
    height, width = len(matrix), len(matrix[0])
    cell = min(_LARGEST_CELL, (WIDTH - LEFT) / width, (WIDTH - LEFT) / height)
    floor = TOP + cell * height
    speaks = height * width <= _MOST_TITLES
    marks = [text(rows, 0, 12, "label"), text(columns, LEFT + cell * width / 2, floor + 32, "label", "middle")]
    for place in _ticks(height):
        marks.append(text(str(place), LEFT - 8, floor - cell * (place + 0.5) + 4, "tick", "end"))
    for place in _ticks(width):
        marks.append(text(str(place), LEFT + cell * (place + 0.5), floor + 16, "tick", "middle"))
    for row, values in enumerate(matrix):
        for column, value in enumerate(values):
            spoken = [title(f"{rows} {row}, {columns} {column}: {value:.3f}")] if speaks else []
            marks.append(
                element(
                    "rect",
                    spoken,
                    x=LEFT + cell * column,
                    y=floor - cell * (row + 1),
                    width=cell,
                    height=cell,
                    class_="cell c0",
                    fill_opacity=f"{min(1.0, max(0.0, value)):.2f}",
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
    return Figure(heading, svg, (), note, _table(matrix, rows, columns))


def _table(matrix: Sequence[Sequence[float]], rows: str, columns: str) -> Data:
    lines: list[tuple[Cell, ...]] = [(float(number_), *row) for number_, row in enumerate(matrix)]
    return Data((f"{rows} \\ {columns}", *(str(place) for place in range(len(matrix[0])))), tuple(lines))


def _ticks(count: int) -> range:
    return range(0, count, max(1, -(-count // _TICKS)))
