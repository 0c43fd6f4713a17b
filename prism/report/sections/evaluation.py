"""Pass rates before and after every stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prism.report.charts.dots import DotSeries, Mark, Row, dot_chart
from prism.report.charts.figure import Figure
from prism.report.charts.lines import Axis
from prism.report.results import Results, Stage
from prism.report.sections.palette import in_order
from prism.report.sections.sources import from_files, scores
from prism.report.shapes import Estimate, TaskResult

_SERIES = (DotSeries("sampled", 0), DotSeries("greedy", 1, hollow=True))
_METRICS = ("pass_rate", "pass_rate_greedy")


@dataclass(frozen=True)
class PassRates:
    """A row of the table; percentages, and their changes from the parent in points."""

    stage: str
    parent: str | None
    sampled: float | None
    sampled_change: float | None
    greedy: float | None
    greedy_change: float | None
    by_task: tuple[tuple[Estimate | None, Estimate | None], ...]
    main: bool


@dataclass(frozen=True)
class Habits:
    """How a stage's sampled responses look, mean over the generation tasks."""

    stage: str
    format_rate: float | None
    length: float | None


@dataclass(frozen=True)
class Evaluation:
    tasks: tuple[str, ...]
    figures: tuple[Figure, ...]
    rows: tuple[PassRates, ...]
    habits: tuple[Habits, ...]
    described: tuple[TaskResult, ...]
    skipped: int


def evaluation(results: Results) -> Evaluation:
    chain = results.main_chain()
    stages = [results.stages[name] for name in in_order(results.stages, chain) if results.stages[name].tasks]
    found = {name: task for stage in stages for name, task in stage.tasks.items()}
    tasks = tuple(name for name, task in found.items() if task.kind == "generate")
    names = [stage.name for stage in stages]
    figures = from_files(results, scores(names, tasks), [_mean_chart(stages, chain)])
    for task in tasks:
        figures += from_files(results, scores(names, [task]), [_task_chart(stages, task, chain)])
    return Evaluation(
        tasks,
        figures,
        tuple(_row(results, stage, tasks, chain) for stage in stages) if tasks else (),
        tuple(_habits(stage) for stage in stages if stage.mean("format_rate") is not None),
        tuple(found.values()),
        max((sum(task.skipped_too_long for task in stage.tasks.values()) for stage in stages), default=0),
    )


def _mean_chart(stages: Sequence[Stage], chain: Sequence[str]) -> Figure | None:
    rows = []
    for stage in stages:
        means = [stage.mean(metric) for metric in _METRICS]
        marks = tuple(Mark(index, 100 * mean) for index, mean in enumerate(means) if mean is not None)
        rows.append(Row(stage.name, marks, stage.name in chain))
    return dot_chart("Mean of the tasks", _SERIES, rows, Axis("pass rate, %", low=0), unit="%", joined=True)


def _task_chart(stages: Sequence[Stage], name: str, chain: Sequence[str]) -> Figure | None:
    rows = []
    for stage in stages:
        metrics = stage.tasks[name].metrics if name in stage.tasks else {}
        marks = tuple(mark(index, metrics[key], 100) for index, key in enumerate(_METRICS) if key in metrics)
        rows.append(Row(stage.name, marks, stage.name in chain))
    return dot_chart(name, _SERIES, rows, Axis("pass rate, %", low=0), unit="%")


def mark(series: int, estimate: Estimate, factor: float) -> Mark:
    """An estimate as a mark with whiskers."""
    return Mark(series, factor * estimate.value, factor * estimate.low, factor * estimate.high)


def _row(results: Results, stage: Stage, tasks: Sequence[str], chain: Sequence[str]) -> PassRates:
    parent = results.stages.get(stage.parent) if stage.parent is not None else None
    sampled, greedy = (_in_percent(stage.mean(metric)) for metric in _METRICS)
    old_sampled, old_greedy = (_in_percent(parent.mean(metric)) if parent else None for metric in _METRICS)
    by_task = []
    for task in tasks:
        metrics = stage.tasks[task].metrics if task in stage.tasks else {}
        by_task.append((metrics.get("pass_rate"), metrics.get("pass_rate_greedy")))
    return PassRates(
        stage.name,
        stage.parent,
        sampled,
        _difference(sampled, old_sampled),
        greedy,
        _difference(greedy, old_greedy),
        tuple(by_task),
        stage.name in chain,
    )


def _habits(stage: Stage) -> Habits:
    return Habits(stage.name, _in_percent(stage.mean("format_rate")), stage.mean("response_length"))


def _in_percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _difference(new: float | None, old: float | None) -> float | None:
    return None if new is None or old is None else new - old
