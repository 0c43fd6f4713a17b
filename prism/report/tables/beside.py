"""Rows of scores: the run's, the paper's below it, and the difference."""

from __future__ import annotations

from collections.abc import Sequence

from prism.paper import benchmarks, paper_models, paper_table
from prism.report.tables.compare import differences
from prism.report.tables.published import published
from prism.report.tables.scores import OWN_DOMAINS, own_score, own_tasks, score
from prism.report.tables.subject import Role, Subject
from prism.report.tables.table import DIGITS, Cell, Column, Row

CONTEXT = "The run's model is none of the paper's: the paper's rows are context, not a comparison."
_OWN_TO_PAPER = {"code": "code_avg", "science": "gpqa_d", "math": "math_avg", "avg": "avg"}
"""The paper's column that a run's own domain stands in for."""


def compared_by_benchmark(subject: Subject) -> bool:
    """Whether the columns are the paper's benchmarks; otherwise they are the domains of the run's own tasks."""
    return subject.model is not None or subject.has_paper_benchmarks or not _own_tasks(subject)


def columns(subject: Subject, number: int) -> tuple[list[str], tuple[Column, ...]]:
    """Names and columns of a table of scores."""
    if compared_by_benchmark(subject):
        names = list(paper_table(number).columns)
        titles = [benchmarks().title(name) for name in names]
    else:
        names = list(_own_tasks(subject))
        if "avg" in paper_table(number).columns:
            names = [name for name in names if name != "general"] + ["avg"]
        titles = ["AVG" if name == "avg" else OWN_DOMAINS[name] for name in names]
    return names, tuple(Column(title, "percent", DIGITS["percent"]) for title in titles)


def rows(
    subject: Subject, role: Role, labels: tuple[str, ...], names: Sequence[str], tables: Sequence[int]
) -> list[Row]:
    """The run's row of a stage; below it, where the paper has the same, its row and the difference.

    Args:
        labels: of the row, without where it is from.
        tables: the paper's, searched in this order.
    """
    stage = subject.results.stages[role.stage]
    by_benchmark = compared_by_benchmark(subject)
    ours = tuple(score(subject, stage, name) if by_benchmark else own_score(subject, stage, name) for name in names)
    found = [Row((*labels, f"run, {role.stage}"), ours)]
    if subject.model is None or not role.like_paper:
        return found
    theirs = published(subject.model, role.midtrain, role.rl, names, tables)
    if theirs is not None:
        found.append(Row((*labels, theirs.label), theirs.cells))
        if any(cell.value is not None for cell in ours):
            found.append(Row((*labels, "difference"), differences(ours, theirs.cells), signed=True))
    return found


def context(
    number: int, model: str, midtrain: str, rl: str, names: Sequence[str], by_benchmark: bool
) -> tuple[Cell, ...] | None:
    """The paper's figures of one of its models for a run of another: by benchmark, or by domain."""
    asked = [name if by_benchmark else _OWN_TO_PAPER.get(name, "") for name in names]
    found = published(model, midtrain, rl, asked, [number])
    return found.cells if found is not None else None


def own_notes(subject: Subject) -> tuple[str, ...]:
    """What the columns of a run without the paper's benchmarks are."""
    listed = [f"{OWN_DOMAINS[domain]}: {', '.join(names)}" for domain, names in _own_tasks(subject).items()]
    return (
        f"The run has none of the paper's benchmarks; its columns are means of its own tasks ({'; '.join(listed)}).",
        "The paper's rows have its own averages there, and GPQA-D under Science.",
    )


def model_title(model: str) -> str:
    return paper_models()[model].title


def _own_tasks(subject: Subject) -> dict[str, list[str]]:
    return own_tasks(list(subject.results.stages.values()))
