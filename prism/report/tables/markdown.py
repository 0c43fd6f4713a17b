"""A table as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from prism.report.tables.table import Cell, Column, Row, Table, figure, interval

_SHORT = 12
"""Digits of a hash that are shown."""


def markdown(table: Table) -> str:
    """Heading, table, notes, and the files that the run's figures come from."""
    heads = [*table.heads, *(table.heading(column) for column in table.columns)]
    lines = [
        f"## Table {table.number}. {table.title}",
        "",
        *([f"Figures in {table.unit}.", ""] if table.unit else []),
        _row([_text(head) for head in heads]),
        _row(["---"] * len(table.heads) + ["--:"] * len(table.columns)),
        *(_row([*map(_text, row.labels), *_cells(table, row)]) for row in table.rows),
    ]
    if table.footnotes:
        lines += ["", *(f"- [{table.mark(note)}] {note}" for note in table.footnotes)]
    if table.notes:
        lines += ["", *(f"- {note}" for note in table.notes)]
    if table.sources:
        lines += ["", "Made from:", ""]
        lines += [f"- `{source.path}` (sha256 `{source.sha256[:_SHORT]}`)" for source in table.sources]
    return "\n".join(lines) + "\n"


def _cells(table: Table, row: Row) -> list[str]:
    return [_cell(table, cell, column, row.signed) for cell, column in zip(row.cells, table.columns, strict=True)]


def _cell(table: Table, cell: Cell, column: Column, signed: bool) -> str:
    marks = f"[{table.marks(cell)}]" if cell.notes else ""
    return " ".join(part for part in (figure(cell, column, signed), interval(cell, column), marks) if part)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    return text.replace("|", "\\|")
