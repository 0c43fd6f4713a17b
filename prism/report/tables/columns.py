"""Tables whose columns are changes: the run's column of each, the paper's beside it, and the difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from prism.paper import paper_table
from prism.report.tables import changes
from prism.report.tables.beside import model_title
from prism.report.tables.changes import STEPS, Pair
from prism.report.tables.compare import difference, paper_cell
from prism.report.tables.subject import Subject
from prism.report.tables.table import Cell, Column, Row

Read = Callable[[Pair], Mapping[str, Cell]]
"""A pair's cells by the name of their row."""


@dataclass(frozen=True)
class Series:
    """A column with its cells by the name of their row; what has none is an empty cell. `step`: of the paper's."""

    title: str
    cells: Mapping[str, Cell]
    origin: str
    step: str | None = None
    signed: bool = False


def series(subject: Subject, number: int, read: Read) -> list[Series]:
    """Columns of every pair of the run, in threes where the paper's table has the model and the step."""
    found: list[Series] = []
    for pair in changes.pairs(subject):
        ours = read(pair)
        found.append(Series(f"{pair.title}, run", ours, "run", pair.step))
        if subject.model is None or pair.step is None:
            continue
        comparison = subject.weights(pair.before, pair.after)
        reason = changes.why_not_compared(comparison)
        theirs = _published(number, subject.model, pair.step, reason)
        if theirs is None:
            continue
        found.append(Series(f"{STEPS[pair.step]}, paper", theirs, "paper", pair.step))
        if reason is None and comparison is not None:
            cells = {name: difference(ours.get(name, Cell()), cell) for name, cell in theirs.items()}
            found.append(Series("difference", cells, "difference", pair.step, signed=True))
    return found


def context(subject: Subject, number: int) -> list[Series]:
    """The paper's columns for a run of another model."""
    if subject.model is not None:
        return []
    return [
        Series(f"{model_title(row.model)}, {STEPS[row.at['change']]}, paper", cells, "paper")
        for row in paper_table(number).rows
        if (cells := _published(number, row.model, row.at["change"])) is not None
    ]


def rows(keys: Mapping[str, str], made: Sequence[Series]) -> tuple[Row, ...]:
    """Args: keys: name of a row -> its label."""
    return tuple(Row((label,), tuple(one.cells.get(name, Cell()) for one in made)) for name, label in keys.items())


def heads(made: Sequence[Series]) -> tuple[Column, ...]:
    """The columns, in percent."""
    return tuple(Column(one.title, "percent", 1, one.signed) for one in made)


def _published(number: int, model: str, step: str, reason: str | None = None) -> dict[str, Cell] | None:
    table = paper_table(number)
    row = table.row(model, change=step)
    if row is None:
        return None
    cells = {name: paper_cell(number, row, name) for name in table.columns}
    return {
        name: Cell(cell.value, notes=(*cell.notes, *((reason,) if reason and cell.value is not None else ())))
        for name, cell in cells.items()
    }
