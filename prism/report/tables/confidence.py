"""Table 15: correctness, length and confidence of sampled responses at each stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import Field
from pydantic.dataclasses import dataclass

from prism.paper import paper_table
from prism.report.reading import Artifact, read_json
from prism.report.sections.confidence import confidence
from prism.report.tables.beside import CONTEXT, model_title
from prism.report.tables.compare import differences, paper_cell
from prism.report.tables.subject import Role, Subject
from prism.report.tables.table import DIGITS, Cell, Column, Row, Table

NUMBER = 15
FOLDER = "analysis/confidence"
_MISSING = "Not measured: name generation tasks in `evaluate.tasks` and run `prism eval RECIPE`."
_OF_EVALUATION = (
    "Of all sampled responses of the run's evaluation, not of the paper's problems, so without a difference."
)
_TITLES = {
    "pass_rate": "Pass",
    "median_tokens": "Median length",
    "nll": "NLL",
    "nll_correct": "NLL correct",
    "nll_incorrect": "NLL incorrect",
}
_STAGES: Mapping[str, str] = {"base": "Base", "mid": "MT", "rl": "RL"}


@dataclass(frozen=True)
class Split:
    """Of all responses, or of the correct or incorrect ones. None: too few of them."""

    pass_rate: float | None = None
    median_tokens: float | None = None
    mean_nll: float | None = None


@dataclass(frozen=True)
class StageConfidence:
    stage: str
    overall: Split
    correct: Split = Field(default_factory=Split)
    incorrect: Split = Field(default_factory=Split)


@dataclass(frozen=True)
class ConfidenceFile:
    """analysis/confidence/<stage>.json."""

    stages: tuple[StageConfidence, ...]


def confidence_table(subject: Subject) -> Table:
    """Every stage of the run, with the paper's figures of the same model.

    Raises:
        BadInput: a file is damaged.
    """
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

    figures: StageConfidence
    sources: tuple[Artifact, ...]
    notes: tuple[str, ...] = ()


def _measured(subject: Subject) -> dict[str, _Measured]:
    found = _of_evaluation(subject)
    for path in sorted((subject.results.directory / FOLDER).glob("*.json")):
        read = read_json(path, ConfidenceFile)
        source = subject.artifact(f"{FOLDER}/{path.name}")
        found.update({one.stage: _Measured(one, (source,)) for one in read.stages} if read is not None else {})
    return found


def _of_evaluation(subject: Subject) -> dict[str, _Measured]:
    found = {}
    for one in confidence(subject.results):
        overall, correct, incorrect = (
            Split(median_tokens=part.median_tokens, mean_nll=part.mean_nll)
            for part in (one.overall, one.correct, one.incorrect)
        )
        figures = StageConfidence(one.stage, replace(overall, pass_rate=one.pass_rate), correct, incorrect)
        tasks = subject.results.stages[one.stage].samples
        sources = tuple(subject.artifact(f"stages/{one.stage}/evaluate/{task}.samples.jsonl") for task in tasks)
        found[one.stage] = _Measured(figures, sources, (_OF_EVALUATION,))
    return found


def _run(role: Role, measured: Mapping[str, _Measured]) -> tuple[Cell, ...]:
    if role.stage not in measured:
        return tuple(Cell(notes=(_MISSING,)) for _ in _TITLES)
    one = measured[role.stage].figures
    rate = one.overall.pass_rate
    values = (
        None if rate is None else 100 * rate,
        one.overall.median_tokens,
        one.overall.mean_nll,
        one.correct.mean_nll,
        one.incorrect.mean_nll,
    )
    return tuple(
        Cell(value, sources=measured[role.stage].sources, notes=measured[role.stage].notes) for value in values
    )
