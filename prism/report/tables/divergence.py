"""Table 12: how far each component moved, and which share of the elements stayed."""

from __future__ import annotations

from prism.paper import PaperRow, paper_table
from prism.report.tables import changes
from prism.report.tables.beside import CONTEXT, model_title
from prism.report.tables.changes import STEPS, Pair
from prism.report.tables.compare import differences, paper_cell
from prism.report.tables.subject import LEGEND, MIXES, Subject
from prism.report.tables.table import DIGITS, Cell, Column, Row, Table
from prism.report.weight_shapes import WeightComparison

NUMBER = 12
_TITLES = {"attention": "Attn", "mlp": "MLP", "mamba": "Mamba", "total": "Total", "unchanged": "Sparsity"}
_SMALL = 0.01


def divergence_table(subject: Subject) -> Table:
    """Every pair of stages, with the paper's figures of the same model, step and mixture."""
    table = paper_table(NUMBER)
    names = list(table.columns)
    made: list[Row] = []
    for pair in changes.pairs(subject):
        made += _rows(subject, pair, names)
    if subject.model is None:
        for row in table.rows:
            labels = (model_title(row.model), MIXES[row.at["midtrain"]], STEPS[row.at["change"]])
            made.append(Row((*labels, "paper"), _paper(row, names)))
    hybrid = any(row.cells[names.index("mamba")].value is not None for row in made)
    kept = [index for index, name in enumerate(names) if hybrid or name != "mamba"]
    return Table(
        NUMBER,
        table.title,
        ("Model", "MT", "Change", "From"),
        tuple(
            Column(_TITLES[names[index]], unit, 1 if unit == "percent" else DIGITS[unit])
            for index, unit in enumerate(table.columns.values())
            if index in kept
        ),
        tuple(Row(row.labels, tuple(row.cells[index] for index in kept), row.signed) for row in made),
        (
            "Relative L2: norm of the change over norm of the old weights, the tensors of a component pooled. "
            "Sparsity: elements that changed by less than 1%, in percent.",
            "The run's Total and Sparsity are over all matrices. How the paper pools its Total isn't stated.",
            *changes.how_taken(subject),
            LEGEND,
            *((CONTEXT,) if subject.model is None else ()),
        ),
    )


def _rows(subject: Subject, pair: Pair, names: list[str]) -> list[Row]:
    comparison = subject.weights(pair.before, pair.after)
    ours = _run(subject, pair, comparison, names)
    labels = (subject.title, pair.mix, pair.title)
    made = [Row((*labels, "run"), ours)]
    if subject.model is None or pair.step is None:
        return made
    row = paper_table(NUMBER).row(subject.model, midtrain=pair.midtrain, change=pair.step)
    if row is None:
        return made
    reason = changes.why_not_compared(comparison)
    theirs = _paper(row, names, reason)
    made.append(Row((*labels, "paper"), theirs))
    if reason is None and comparison is not None:
        made.append(Row((*labels, "difference"), differences(ours, theirs), signed=True))
    return made


def _run(subject: Subject, pair: Pair, comparison: WeightComparison | None, names: list[str]) -> tuple[Cell, ...]:
    if comparison is None:
        return tuple(changes.missing(pair) for _ in names)
    sources = changes.artifact(subject, pair)
    values: list[Cell] = []
    for name in names:
        if name == "unchanged":
            values.append(Cell(changes.unchanged(comparison.total, 1.0), sources=sources))
            continue
        change = comparison.total if name == "total" else comparison.by_component.get(name)
        value = change.relative_l2 if change is not None else None
        values.append(Cell(value, digits=5 if value is not None and value < _SMALL else None, sources=sources))
    return tuple(values)


def _paper(row: PaperRow, names: list[str], reason: str | None = None) -> tuple[Cell, ...]:
    cells = [paper_cell(NUMBER, row, name) for name in names]
    return tuple(
        Cell(cell.value, digits=cell.digits, notes=(*cell.notes, *((reason,) if reason else ())))
        if cell.value is not None
        else cell
        for cell in cells
    )
