"""Table 11: the whole pipeline, from base model over mid-training to RL."""

from __future__ import annotations

from prism.paper import paper_table
from prism.report.tables.beside import (
    CONTEXT,
    columns,
    compared_by_benchmark,
    context,
    model_title,
    own_notes,
    rows,
)
from prism.report.tables.subject import LEGEND, MIXES, Subject
from prism.report.tables.table import Row, Table

NUMBER = 11
_TABLES = (11, 6, 19)


def pipeline_table(subject: Subject) -> Table:
    """Every stage of the run by mid-training and RL mixture, with the paper's figures of the same."""
    names, heads = columns(subject, NUMBER)
    made: list[Row] = []
    for role in subject.stages("base", "mid", "rl"):
        made += rows(subject, role, (subject.title, _mix(role.midtrain), _mix(role.rl)), names, _TABLES)
    by_benchmark = compared_by_benchmark(subject)
    if subject.model is None:
        for row in paper_table(NUMBER).rows:
            midtrain, rl = row.at["midtrain"], row.at["rl"]
            cells = context(NUMBER, row.model, midtrain, rl, names, by_benchmark)
            if cells is not None:
                made.append(Row((model_title(row.model), _mix(midtrain), _mix(rl), "paper, Table 11"), cells))
    return Table(
        NUMBER,
        paper_table(NUMBER).title,
        ("Model", "MT", "RL", "From"),
        heads,
        tuple(made),
        (
            "AVG is the mean of Code Avg, Math Avg and GPQA-D: every domain weighs the same, whatever its benchmarks.",
            "The paper's rows with RL are the best step of each configuration, the run's its last checkpoint. Whether "
            "the paper's RL mixes here are the balanced or the unbalanced ones isn't stated.",
            LEGEND,
            *((CONTEXT,) if subject.model is None else ()),
            *(() if by_benchmark else own_notes(subject)),
        ),
    )


def _mix(name: str) -> str:
    return MIXES.get(name, name)
