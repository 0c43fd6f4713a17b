"""Table 6: benchmarks of the base model and after mid-training."""

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

NUMBER = 6
_TABLES = (6, 19, 4, 11)


def benchmark_table(subject: Subject) -> Table:
    """Every base and mid-trained stage of the run, with the paper's figures of the same model and mixture."""
    names, heads = columns(subject, NUMBER)
    made: list[Row] = []
    for role in subject.stages("base", "mid"):
        made += rows(subject, role, (subject.title, _variant(role.midtrain)), names, _TABLES)
    by_benchmark = compared_by_benchmark(subject)
    if subject.model is None:
        for row in paper_table(NUMBER).rows:
            cells = context(NUMBER, row.model, row.at["midtrain"], "none", names, by_benchmark)
            if cells is not None:
                made.append(Row((model_title(row.model), _variant(row.at["midtrain"]), "paper, Table 6"), cells))
    return Table(
        NUMBER,
        paper_table(NUMBER).title,
        ("Model", "Variant", "From"),
        heads,
        tuple(made),
        (
            "Figures of the run are pass@1 (mean over samples) or accuracy, with 95% bootstrap intervals over prompts; "
            "intervals of averages take their parts as independent.",
            "Code Avg is the mean of LCB and CF, Math Avg that of AIME24, AIME25 and MATH500.",
            LEGEND,
            *((CONTEXT,) if subject.model is None else ()),
            *(() if by_benchmark else own_notes(subject)),
        ),
    )


def _variant(midtrain: str) -> str:
    return "Base" if midtrain == "none" else f"MT {MIXES.get(midtrain, midtrain)}"
