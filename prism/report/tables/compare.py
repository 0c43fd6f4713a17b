"""A run's figures beside the paper's: the paper's row, and the row of differences."""

from __future__ import annotations

from collections.abc import Sequence

from prism.paper import PaperRow, disputes, paper_table
from prism.report.tables.table import Cell

OUTSIDE = "The paper's figure lies outside of the run's 95% interval."


def paper_cell(number: int, row: PaperRow, column: str) -> Cell:
    """A figure as the paper prints it, with a note where the paper disagrees with itself on it."""
    table = paper_table(number)
    value = table.value(row, column)
    notes = tuple(_sentence(one.told(), one.note) for one in disputes(number, row, column))
    digits = 4 if value is not None and value < 0.01 and table.columns.get(column) == "ratio" else None
    return Cell(value, digits=digits, notes=notes if value is not None else ())


def differences(run: Sequence[Cell], paper: Sequence[Cell]) -> tuple[Cell, ...]:
    """The run's figure less the paper's, cell by cell; marked where the run's interval doesn't hold the paper's."""
    return tuple(difference(ours, theirs) for ours, theirs in zip(run, paper, strict=True))


def difference(run: Cell, paper: Cell) -> Cell:
    """See `differences`."""
    if run.value is None or paper.value is None:
        return Cell()
    # An interval without width is that of a bootstrap over equal values: it says nothing about chance.
    known = run.low is not None and run.high is not None and run.low < run.high
    apart = known and not (run.low or 0) <= paper.value <= (run.high or 0)
    return Cell(run.value - paper.value, digits=paper.digits, notes=(OUTSIDE,) if apart else ())


def _sentence(told: str, note: str) -> str:
    return " ".join(part for part in (f"{told[0].upper()}{told[1:]}.", note) if part)
