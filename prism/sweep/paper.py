"""The paper's rows that stand beside a sweep."""

from __future__ import annotations

from prism.errors import RecipeError
from prism.paper import PaperRow, benchmarks, paper_tables
from prism.recipe.schema.sweep import PaperConfig

_LABELS = {
    "phase_3": "after phase 3",
    "phase_4": "after phase 4",
    "after_long_context": "after long context",
}
"""How rows are called, where the label in the table isn't plain."""


def with_rows(paper: PaperConfig | None) -> PaperConfig | None:
    """What a sweep says of the paper, with the lines of the table that it names by number.

    Raises:
        RecipeError: there is no such table, or its columns aren't benchmarks.
    """
    if paper is None or paper.rows is None:
        return paper
    known = benchmarks()
    scores = {*known.benchmarks, *known.averages}
    usable = {number: table for number, table in paper_tables().items() if set(table.columns) <= scores}
    if paper.rows not in usable:
        raise RecipeError(
            f"no Table {paper.rows} of benchmarks",
            place="paper.rows",
            remedy=f"use some of {', '.join(map(str, usable))}, or paper.lines",
        )
    table = usable[paper.rows]
    titles = {name: known.title(name) for name in table.columns}
    names = [_name(row) for row in table.rows]
    if len(set(names)) < len(names):
        names = [", ".join((row.model, *row.at.values())) for row in table.rows]
    lines = {
        label: {title: value for name, title in titles.items() if (value := table.value(row, name)) is not None}
        for label, row in zip(names, table.rows, strict=True)
    }
    return paper.model_copy(update={"lines": {**lines, **paper.lines}})


def _name(row: PaperRow) -> str:
    """What tells the row from the others: its last label."""
    if row.at.get("midtrain") == "none":
        return "base"
    key, value = list(row.at.items())[-1]
    return f"{value}B" if key == "tokens_billion" else _LABELS.get(value, value)
