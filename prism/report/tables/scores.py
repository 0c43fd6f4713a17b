"""A stage's scores on the paper's benchmarks, in percent, and the averages over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from prism.paper import Benchmark, above_chance, benchmarks, combine
from prism.report.results import Stage
from prism.report.shapes import Estimate, TaskResult
from prism.report.tables.subject import Subject
from prism.report.tables.table import Cell

INCOMPLETE = "An average is taken of all its parts or not at all."
GREEDY = "Decoded greedily; the paper samples."
ABOVE_CHANCE = (
    "Rescaled between guessing and all right, as the Open LLM Leaderboard v2 does, and the paper's figures with it."
)
OWN_DOMAINS = {"general": "General", "code": "Code Avg", "science": "Science", "math": "Math Avg"}
"""Columns for a run without the paper's benchmarks: its own tasks, by domain."""


def score(subject: Subject, stage: Stage, name: str) -> Cell:
    """A benchmark or an average of benchmarks.yaml."""
    known = benchmarks()
    if name in known.averages:
        parts = [score(subject, stage, part) for part in known.averages[name].parts]
        return mean(parts)
    benchmark = known.benchmarks[name]
    task = next((stage.tasks[one] for one in benchmark.tasks if one in stage.tasks), None)
    if task is None:
        return missing(subject, stage)
    estimate = benchmark_estimate(task, benchmark)
    notes = (*_unlike(task, benchmark), *((ABOVE_CHANCE,) if benchmark.choices is not None else ()))
    return _cell(subject, stage, task, estimate, notes)


def benchmark_estimate(task: TaskResult, benchmark: Benchmark) -> Estimate | None:
    """What a task measures of a benchmark, as a fraction; None where it lacks a metric or a subtask for that."""
    main = task.main_metric()
    names = benchmark.metrics or ((main,) if main is not None else ())
    parts: list[tuple[Estimate | None, int | None]]
    if isinstance(benchmark.choices, Mapping):
        parts = [
            (task.tasks[subtask].metrics.get(name) if subtask in task.tasks else None, choices)
            for subtask, choices in benchmark.choices.items()
            for name in names
        ]
    else:
        parts = [(task.metrics.get(name), benchmark.choices) for name in names]
    found = [_rescaled(estimate, choices) for estimate, choices in parts if estimate is not None]
    if not found or len(found) < len(parts):
        return None
    return found[0] if len(found) == 1 else Estimate(*combine([(one.value, one.low, one.high) for one in found]))


def _rescaled(estimate: Estimate, choices: int | None) -> Estimate:
    if choices is None:
        return estimate
    return Estimate(*(above_chance(value, choices) for value in (estimate.value, estimate.low, estimate.high)))


def own_score(subject: Subject, stage: Stage, domain: str) -> Cell:
    """The mean of a run's own tasks of a domain; `avg`: of the domains code, science and math."""
    if domain == "avg":
        return mean([own_score(subject, stage, one) for one in ("code", "science", "math")])
    tasks = [task for task in stage.tasks.values() if task.domain == domain and task.kind in ("generate", "choice")]
    if not tasks:
        return missing(subject, stage)
    return mean([_cell(subject, stage, task, _main(task), ()) for task in tasks])


def own_tasks(stages: Sequence[Stage]) -> dict[str, list[str]]:
    """Names of the tasks that `own_score` averages, by domain."""
    found: dict[str, list[str]] = {}
    for stage in stages:
        for task in stage.tasks.values():
            if task.kind in ("generate", "choice") and task.domain in OWN_DOMAINS:
                names = found.setdefault(task.domain, [])
                names += [task.task] if task.task not in names else []
    return {domain: found[domain] for domain in OWN_DOMAINS if domain in found}


def missing(subject: Subject, stage: Stage) -> Cell:
    """A score that the run doesn't have."""
    command = f"prism eval RECIPE --stage {stage.name}"
    if not subject.results.recipe.pipeline[stage.name].evaluate:
        command += f" --set pipeline.{stage.name}.evaluate=true"
    return Cell(notes=(f"Not measured: `{command}`, with a task for it in evaluate.tasks.",))


def mean(parts: Sequence[Cell]) -> Cell:
    """Mean of cells with the interval of independent estimates."""
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    sources = tuple(dict.fromkeys(source for part in parts for source in part.sources))
    triples = [
        (part.value, part.low, part.high)
        for part in parts
        if part.value is not None and part.low is not None and part.high is not None
    ]
    if len(triples) < len(parts):
        wanting = [note for part in parts if part.value is None for note in part.notes]
        return Cell(notes=tuple(dict.fromkeys((*wanting, INCOMPLETE))))
    return Cell(*combine(triples), sources=sources, notes=notes)


def _cell(subject: Subject, stage: Stage, task: TaskResult, estimate: Estimate | None, notes: tuple[str, ...]) -> Cell:
    if estimate is None:
        return missing(subject, stage)
    greedy = task.main_metric() == "pass_rate_greedy"
    path = f"stages/{stage.name}/evaluate/{task.task}.json"
    return Cell(
        100 * estimate.value,
        100 * estimate.low,
        100 * estimate.high,
        sources=(subject.artifact(path),),
        notes=(*((GREEDY,) if greedy else ()), *notes, *_left_out(task)),
    )


def _main(task: TaskResult) -> Estimate | None:
    name = task.main_metric()
    return None if name is None else task.metrics[name]


def _left_out(task: TaskResult) -> tuple[str, ...]:
    """Which of the data's rows aren't part of the score."""
    told = [f"{count:,} {reason}" for reason, count in task.left_out.items()]
    told += [f"{task.skipped_too_long:,} longer than the context"] if task.skipped_too_long else []
    return (f"{task.task} leaves out, of the data's rows: {'; '.join(told)}.",) if told else ()


def _unlike(task: TaskResult, benchmark: Benchmark) -> tuple[str, ...]:
    """What differs from how the paper samples."""
    differs: dict[str, Callable[[float, float], bool]] = {
        "samples": lambda ours, theirs: ours < theirs,
        "temperature": lambda ours, theirs: ours != theirs,
        "top_p": lambda ours, theirs: ours != theirs,
        "max_new_tokens": lambda ours, theirs: ours < theirs,
    }
    told = [
        f"{name} {task.settings[name]:g} (paper {theirs:g})"
        for name, theirs in benchmark.settings.items()
        if name in task.settings and differs[name](float(task.settings[name]), theirs)
    ]
    limit = task.settings.get("limit")
    told += [f"the first {limit} problems"] if limit is not None else []
    return (f"{task.task} was run otherwise than in the paper's section 13: {', '.join(told)}.",) if told else ()
