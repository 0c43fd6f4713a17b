"""The paper's tables: `tables/table_NN.yaml`, one a table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from prism.paper.reading import FOLDER, read

Unit = Literal["percent", "ratio", "tokens", "nats"]
Labels = Mapping[str, str]
"""What a row is of, such as midtrain: math_code, rl: none."""


@dataclass(frozen=True, config={"extra": "forbid"})
class PaperRow:
    """A row's figures in the order of the table's columns. None: the paper leaves the cell empty."""

    model: str
    at: Labels
    values: tuple[float | None, ...]


@dataclass(frozen=True, config={"extra": "forbid"})
class PaperTable:
    """A table as the paper prints it. `columns`: name -> unit."""

    table: int
    title: str
    columns: Mapping[str, Unit]
    rows: tuple[PaperRow, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _rows_fit(self) -> PaperTable:
        seen: list[tuple[str, Labels]] = []
        for row in self.rows:
            if len(row.values) != len(self.columns):
                raise ValueError(f"{row.model} {dict(row.at)} has {len(row.values)} figures, not {len(self.columns)}")
            if (row.model, row.at) in seen:
                raise ValueError(f"{row.model} {dict(row.at)} is there twice")
            seen.append((row.model, row.at))
        return self

    def row(self, model: str, **at: str) -> PaperRow | None:
        """The row of a model with exactly these labels."""
        return next((row for row in self.rows if row.model == model and dict(row.at) == at), None)

    def value(self, row: PaperRow, column: str) -> float | None:
        """A figure, in the column's unit; None where the table has no such column or the cell is empty."""
        if column not in self.columns:
            return None
        return row.values[list(self.columns).index(column)]

    def models(self) -> tuple[str, ...]:
        """Its models, in the paper's order."""
        return tuple(dict.fromkeys(row.model for row in self.rows))


@cache
def paper_tables() -> Mapping[int, PaperTable]:
    """Every table that is held here, by number.

    Raises:
        BadInput: a file is damaged.
    """
    tables = [read(path, PaperTable) for path in sorted((FOLDER / "tables").glob("*.yaml"))]
    return {table.table: table for table in tables}


def paper_table(number: int) -> PaperTable:
    """Raises KeyError for a table that isn't held here."""
    return paper_tables()[number]
