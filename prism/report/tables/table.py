"""A table as a value: what every renderer draws from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from prism.report.reading import Artifact

_T = TypeVar("_T")

UNITS = {"percent": "%", "ratio": "relative L2", "tokens": "tokens", "nats": "nats a token"}
"""How a unit is written."""

DIGITS = {"percent": 2, "ratio": 3, "tokens": 0, "nats": 3}


@dataclass(frozen=True)
class Cell:
    """A figure. `low` and `high`: its 95% interval; `digits` None: as the column has them; None as value: not there."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    digits: int | None = None
    sources: tuple[Artifact, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """`unit`: a key of UNITS; `signed`: positive figures get their plus."""

    title: str
    unit: str
    digits: int
    signed: bool = False


@dataclass(frozen=True)
class Row:
    """`labels` stand in front of the figures; `paper`: the figures are the paper's."""

    labels: tuple[str, ...]
    cells: tuple[Cell, ...]
    signed: bool = False


@dataclass(frozen=True)
class Table:
    """A table of the paper for a run. `heads` are the headings of the rows' labels.

    Raises:
        ValueError: a row doesn't fit the columns.
    """

    number: int
    title: str
    heads: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.labels) != len(self.heads) or len(row.cells) != len(self.columns):
                raise ValueError(f"Table {self.number}: the row {' '.join(row.labels)} doesn't fit the columns")

    @property
    def footnotes(self) -> tuple[str, ...]:
        """Notes of cells, each once, in the order of the cells."""
        return _once(note for row in self.rows for cell in row.cells for note in cell.notes)

    @property
    def sources(self) -> tuple[Artifact, ...]:
        """What the figures come from, each once."""
        return _once(source for row in self.rows for cell in row.cells for source in cell.sources)

    @property
    def unit(self) -> str | None:
        """The unit, as it is written, where all columns have the same."""
        units = {UNITS[column.unit] for column in self.columns}
        return units.pop() if len(units) == 1 else None

    def heading(self, column: Column) -> str:
        """A column's title, with the unit where columns differ in it."""
        return column.title if self.unit else f"{column.title}, {UNITS[column.unit]}"

    def marks(self, cell: Cell) -> str:
        """The letters of a cell's footnotes, such as a,c."""
        return ",".join(_letters(place) for place in sorted(map(self.footnotes.index, cell.notes)))

    def mark(self, note: str) -> str:
        """The letters of a footnote."""
        return _letters(self.footnotes.index(note))


def figure(cell: Cell, column: Column, signed: bool = False) -> str:
    """The value as text; `-` where there is none."""
    if cell.value is None:
        return "-"
    digits = column.digits if cell.digits is None else cell.digits
    text = f"{cell.value:+.{digits}f}" if signed or column.signed else f"{cell.value:.{digits}f}"
    return text.lstrip("+-") if not text.strip("+-0.") else text


def interval(cell: Cell, column: Column) -> str | None:
    """The interval as text."""
    if cell.low is None or cell.high is None:
        return None
    digits = column.digits if cell.digits is None else cell.digits
    return f"[{cell.low:.{digits}f}, {cell.high:.{digits}f}]"


def _once(items: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(items))


def _letters(place: int) -> str:
    """0 -> a, 25 -> z, 26 -> aa."""
    number, letters = place + 1, ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters
