"""What the paper publishes of a model's scores at a point of the pipeline, gathered from its tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prism.paper import mean_of, paper_table
from prism.report.tables.compare import paper_cell
from prism.report.tables.table import Cell

COMPUTED = "Computed here from the paper's benchmarks of the same row; the paper doesn't print it."


@dataclass(frozen=True)
class Published:
    """`cells` in the order of the columns asked for; `tables`: where they are from."""

    cells: tuple[Cell, ...]
    tables: tuple[int, ...]

    @property
    def label(self) -> str:
        """paper, Table 6; paper, Tables 4 and 19."""
        *others, last = [str(number) for number in sorted(self.tables)]
        return f"paper, Tables {', '.join(others)} and {last}" if others else f"paper, Table {last}"


def published(model: str, midtrain: str, rl: str, columns: Sequence[str], tables: Sequence[int]) -> Published | None:
    """Scores of a model after these stages; None where none of the tables has the row.

    Args:
        columns: names of benchmarks.yaml.
        tables: searched in this order, for each column.
    """
    found: dict[str, tuple[int, Cell]] = {}
    for number in tables:
        table = paper_table(number)
        labelled = "rl" in table.rows[0].at
        if rl != "none" and not labelled:
            continue
        row = table.row(model, midtrain=midtrain, rl=rl) if labelled else table.row(model, midtrain=midtrain)
        if row is None:
            continue
        for column in table.columns:
            cell = paper_cell(number, row, column)
            if cell.value is not None and column not in found:
                found[column] = (number, cell)
    if not any(column in found for column in columns):
        return None
    if "avg" in columns and "avg" not in found:
        value = mean_of("avg", {column: cell.value for column, (_, cell) in found.items()})
        if value is not None:
            found["avg"] = (found["gpqa_d"][0], Cell(value, notes=(COMPUTED,)))
    cells = tuple(found[column][1] if column in found else Cell() for column in columns)
    return Published(cells, tuple(dict.fromkeys(found[column][0] for column in columns if column in found)))
