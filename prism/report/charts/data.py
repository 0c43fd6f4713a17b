"""What a chart shows, as a table: for those who can't see it, and for those who want the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Cell = str | float | None


@dataclass(frozen=True)
class Data:
    """Rows under columns. None is a value that there is none of."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()


NO_DATA = Data()


def by_x(x: str, curves: Mapping[str, Iterable[tuple[float, float]]]) -> Data:
    """A column a curve, a row a place on the x axis."""
    found: dict[float, dict[str, float]] = {}
    for name, points in curves.items():
        for place, value in points:
            found.setdefault(place, {})[name] = value
    return Data((x, *curves), tuple((place, *(found[place].get(name) for name in curves)) for place in sorted(found)))


def without_empty_columns(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Data:
    used = [index for index in range(len(columns)) if any(row[index] is not None for row in rows)]
    return Data(tuple(columns[index] for index in used), tuple(tuple(row[index] for index in used) for row in rows))


def as_lines(data: Data) -> list[list[Cell]]:
    """The names of the columns, then the rows; numbers with five significant digits, null where there is none."""
    return [list(data.columns), *([_short(cell) for cell in row] for row in data.rows)]


def _short(cell: Cell) -> Cell:
    if isinstance(cell, str) or cell is None:
        return cell
    if not math.isfinite(cell):
        return None
    short = float(f"{cell:.5g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short
