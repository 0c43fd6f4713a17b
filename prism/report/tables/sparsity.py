"""Table 22: share of elements that stayed, by what counts as staying."""

from __future__ import annotations

from collections.abc import Mapping

from prism.paper import paper_table
from prism.report.tables import changes, columns
from prism.report.tables.beside import CONTEXT
from prism.report.tables.changes import Pair
from prism.report.tables.subject import LEGEND, Subject
from prism.report.tables.table import Cell, Table

NUMBER = 22


def sparsity_table(subject: Subject) -> Table:
    """The paper's six thresholds and those that the run has beside them."""
    thresholds = {float(name) for name in paper_table(NUMBER).columns}
    for pair in changes.pairs(subject):
        comparison = subject.weights(pair.before, pair.after)
        thresholds |= set(comparison.total.unchanged_percent) if comparison is not None else set()
    keys = {f"{threshold:g}": f"{threshold:g}" for threshold in sorted(thresholds)}

    def read(pair: Pair) -> Mapping[str, Cell]:
        comparison = subject.weights(pair.before, pair.after)
        if comparison is None:
            return dict.fromkeys(keys, changes.missing(pair))
        sources = changes.artifact(subject, pair)
        return {
            name: Cell(changes.unchanged(comparison.total, float(name)), sources=sources)
            for name in keys
            if changes.unchanged(comparison.total, float(name)) is not None
        }

    made = [*columns.series(subject, NUMBER, read), *columns.context(subject, NUMBER)]
    return Table(
        NUMBER,
        paper_table(NUMBER).title,
        ("Threshold, %",),
        columns.heads(made),
        columns.rows(keys, made),
        (
            "Percent of the elements of all matrices whose relative change is below the threshold.",
            "The paper has this table for Granite-3.3 alone, and doesn't state the mixture.",
            *changes.how_taken(subject),
            LEGEND,
            *((CONTEXT,) if subject.model is None else ()),
        ),
    )
