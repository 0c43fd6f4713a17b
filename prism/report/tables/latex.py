"""A table as LaTeX, with booktabs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prism.report.tables.table import Cell, Column, Row, Table, figure, interval

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}


def latex(table: Table) -> str:
    r"""A `table` environment; the document needs `\usepackage{booktabs,adjustbox}`. Sources are comments."""
    layout = "l" * len(table.heads) + "r" * len(table.columns)
    unit = f" In {escaped(table.unit)}." if table.unit else ""
    heads = [*table.heads, *(table.heading(column) for column in table.columns)]
    notes = [f"\\textsuperscript{{{table.mark(note)}}} {escaped(note)}" for note in table.footnotes]
    notes += [escaped(note) for note in table.notes]
    lines = [
        *(f"% made from {source.path} sha256 {source.sha256}" for source in table.sources),
        r"\begin{table}",
        r"\centering\footnotesize",
        r"\setlength{\tabcolsep}{4pt}",
        f"\\caption{{{escaped(table.title)} (Table {table.number} of the paper).{unit}}}",
        f"\\label{{tab:prism-{table.number}}}",
        r"\begin{adjustbox}{max width=\linewidth}",
        f"\\begin{{tabular}}{{{layout}}}",
        r"\toprule",
        _row([escaped(head) for head in heads]),
        r"\midrule",
        *_body(table),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{adjustbox}",
        *([r"\par\smallskip", r"\begin{minipage}{\linewidth}\footnotesize"] if notes else []),
        *(f"{note}\\par" for note in notes),
        *([r"\end{minipage}"] if notes else []),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text for LaTeX; `code` between backticks is set in a fixed width."""
    parts = re.split(r"`([^`]*)`", text)
    return "".join(
        f"\\texttt{{{_letters(part).replace('--', '-{}-')}}}" if number % 2 else _letters(part)
        for number, part in enumerate(parts)
    )


def _letters(text: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def _body(table: Table) -> list[str]:
    """Rows, with a little room between groups of the same labels."""
    lines: list[str] = []
    last: tuple[str, ...] | None = None
    for row in table.rows:
        group = row.labels[:-1]
        if last is not None and group != last:
            lines.append(r"\addlinespace")
        lines.append(_row([*map(escaped, row.labels), *_cells(table, row)]))
        last = group
    return lines


def _cells(table: Table, row: Row) -> list[str]:
    return [_cell(table, cell, column, row.signed) for cell, column in zip(row.cells, table.columns, strict=True)]


def _cell(table: Table, cell: Cell, column: Column, signed: bool) -> str:
    text = figure(cell, column, signed)
    number = f"$-${text[1:]}" if text.startswith("-") and text != "-" else text
    bounds = interval(cell, column)
    small = f" {{\\scriptsize {bounds}}}" if bounds else ""
    marks = f"\\textsuperscript{{{table.marks(cell)}}}" if cell.notes else ""
    return f"{number}{marks}{small}"


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
