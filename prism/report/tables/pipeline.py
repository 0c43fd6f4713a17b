"""Tables 6 and 11: benchmarks of the base model and after mid-training, and along the whole pipeline to RL."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prism.paper import paper_table
from prism.report.tables.beside import CONTEXT, columns, compared_by_benchmark, context, model_title, own_notes, rows
from prism.report.tables.subject import LEGEND, MIXES, Kind, Subject
from prism.report.tables.table import Row, Table

BENCHMARKS, PIPELINE = 6, 11
_SEARCHED: Mapping[int, tuple[int, ...]] = {BENCHMARKS: (6, 19, 4, 11), PIPELINE: (11, 6, 19)}
"""The paper's tables that may hold a row, in this order."""

Labels = Callable[[str, str], tuple[str, ...]]
"""Of a row, from the mixtures of mid-training and RL."""


def benchmark_table(subject: Subject) -> Table:
    """Every base and mid-trained stage of the run, with the paper's figures of the same model and mixture."""
    notes = (
        "Figures of the run are pass@1 (mean over samples) or accuracy, with 95% bootstrap intervals over prompts; "
        "intervals of averages take their parts as independent.",
        "Code Avg is the mean of LCB and CF, Math Avg that of AIME24, AIME25 and MATH500.",
    )
    return _table(subject, BENCHMARKS, ("base", "mid"), ("Variant",), lambda mid, _: (_variant(mid),), notes)


def pipeline_table(subject: Subject) -> Table:
    """Every stage of the run by mid-training and RL mixture, with the paper's figures of the same."""
    notes = (
        "AVG is the mean of Code Avg, Math Avg and GPQA-D: every domain weighs the same, whatever its benchmarks.",
        "The paper's rows with RL are the best step of each configuration, the run's its last checkpoint. Whether "
        "the paper's RL mixes here are the balanced or the unbalanced ones isn't stated.",
    )
    return _table(subject, PIPELINE, ("base", "mid", "rl"), ("MT", "RL"), lambda mid, rl: (_mix(mid), _mix(rl)), notes)


def _table(
    subject: Subject,
    number: int,
    kinds: tuple[Kind, ...],
    heads: tuple[str, ...],
    labels: Labels,
    notes: tuple[str, ...],
) -> Table:
    names, scores = columns(subject, number)
    made: list[Row] = []
    for role in subject.stages(*kinds):
        made += rows(subject, role, (subject.title, *labels(role.midtrain, role.rl)), names, _SEARCHED[number])
    by_benchmark = compared_by_benchmark(subject)
    if subject.model is None:
        for row in paper_table(number).rows:
            midtrain, rl = row.at["midtrain"], row.at.get("rl", "none")
            cells = context(number, row.model, midtrain, rl, names, by_benchmark)
            if cells is not None:
                title = model_title(row.model)
                made.append(Row((title, *labels(midtrain, rl), f"paper, Table {number}"), cells))
    return Table(
        number,
        paper_table(number).title,
        ("Model", *heads, "From"),
        scores,
        tuple(made),
        (
            *notes,
            LEGEND,
            *((CONTEXT,) if subject.model is None else ()),
            *(() if by_benchmark else own_notes(subject)),
        ),
    )


def _variant(midtrain: str) -> str:
    return "Base" if midtrain == "none" else f"MT {_mix(midtrain)}"


def _mix(name: str) -> str:
    return MIXES.get(name, name)
