"""Table 15: correctness, length and confidence of sampled responses at each stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prism.paper import paper_table
from prism.report.reading import Artifact
from prism.report.results import Stage
from prism.report.sections.confidence import of_tasks
from prism.report.tables.beside import CONTEXT, model_title
from prism.report.tables.compare import differences, paper_cell
from prism.report.tables.subject import Role, Subject
from prism.report.tables.table import DIGITS, Cell, Column, Row, Table
from prism.tally.confidence import Confidence

NUMBER = 15
TASK = "math500_confidence"
"""Samples of the paper's problems."""
_PROBLEMS, _SAMPLES = 200, 8
_SAMPLING = {"samples": _SAMPLES, "temperature": 0.6, "top_p": 0.95, "max_new_tokens": 7_680}
_MISSING = f"Not measured: name {TASK} or other generation tasks in `evaluate.tasks` and run `prism eval RECIPE`."
_OF_EVALUATION = (
    "Of all sampled responses of the run's evaluation, not of the paper's problems, so without a difference."
)
_OF_OTHERS = (
    f"Not all {_SAMPLES} samples of each of the paper's {_PROBLEMS} problems, or not sampled as there, so without a "
    "difference."
)
_TITLES = {
    "pass_rate": "Pass",
    "median_tokens": "Median length",
    "nll": "NLL",
    "nll_correct": "NLL correct",
    "nll_incorrect": "NLL incorrect",
}
_STAGES: Mapping[str, str] = {"base": "Base", "mid": "MT", "rl": "RL"}


def confidence_table(subject: Subject) -> Table:
    """Every stage of the run, with the paper's figures of the same model."""
    table = paper_table(NUMBER)
    measured = _measured(subject)
    made: list[Row] = []
    for role in subject.stages("base", "mid", "rl"):
        ours = _run(role, measured)
        labels = (subject.title, _STAGES[role.kind])
        made.append(Row((*labels, f"run, {role.stage}"), ours))
        row = table.row(subject.model, stage=role.kind) if subject.model is not None and _is_papers(role) else None
        if row is not None:
            theirs = tuple(paper_cell(NUMBER, row, name) for name in table.columns)
            made.append(Row((*labels, "paper"), theirs))
            if role.stage in measured and not measured[role.stage].notes:
                made.append(Row((*labels, "difference"), differences(ours, theirs), signed=True))
    if subject.model is None:
        for row in table.rows:
            cells = tuple(paper_cell(NUMBER, row, name) for name in table.columns)
            made.append(Row((model_title(row.model), _STAGES[row.at["stage"]], "paper"), cells))
    return Table(
        NUMBER,
        table.title if subject.model is not None else "Correctness, length and confidence of sampled responses",
        ("Model", "Stage", "From"),
        tuple(
            Column(_TITLES[name], unit, 1 if unit == "percent" else DIGITS[unit])
            for name, unit in table.columns.items()
        ),
        tuple(made),
        (
            "NLL: mean negative log-probability of a response's tokens.",
            "The paper: 200 held-out MATH500 problems, 8 samples each at temperature 0.6 and top-p 0.95, at most 7,680 "
            "tokens. It leaves a cell empty where too few responses are correct.",
            *((CONTEXT,) if subject.model is None else ()),
        ),
    )


def _is_papers(role: Role) -> bool:
    """The paper's stages are those of one chain: mid-training on all three domains, then RL."""
    return role.like_paper and (role.kind == "base" or role.midtrain == "math_code_science")


@dataclass(frozen=True)
class _Measured:
    """A stage's figures, the files that hold them, and a note where they aren't of the paper's problems."""

    figures: Confidence
    sources: tuple[Artifact, ...]
    notes: tuple[str, ...] = ()


def _measured(subject: Subject) -> dict[str, _Measured]:
    """Of the paper's problems where they were sampled, else of all that was."""
    found = {}
    for stage in subject.results.stages.values():
        tasks = (TASK,) if TASK in stage.samples else tuple(stage.samples)
        one = of_tasks(stage, tasks)
        if one is not None:
            sources = tuple(subject.artifact(f"stages/{stage.name}/evaluate/{task}.samples.jsonl") for task in tasks)
            found[stage.name] = _Measured(one.found, sources, _notes(stage, tasks))
    return found


def _notes(stage: Stage, tasks: tuple[str, ...]) -> tuple[str, ...]:
    if tasks != (TASK,):
        return (_OF_EVALUATION,)
    rows, result = stage.samples[TASK], stage.tasks.get(TASK)
    whole = len(rows) == _PROBLEMS and all(len(row.responses) == _SAMPLES for row in rows)
    alike = result is not None and all(result.settings.get(name) == value for name, value in _SAMPLING.items())
    return () if whole and alike else (_OF_OTHERS,)


def _run(role: Role, measured: Mapping[str, _Measured]) -> tuple[Cell, ...]:
    if role.stage not in measured:
        return tuple(Cell(notes=(_MISSING,)) for _ in _TITLES)
    one = measured[role.stage].figures
    values = (
        100 * one.pass_rate,
        one.overall.median_tokens,
        one.overall.mean_nll,
        one.correct.mean_nll,
        one.incorrect.mean_nll,
    )
    return tuple(
        Cell(value, sources=measured[role.stage].sources, notes=measured[role.stage].notes) for value in values
    )
