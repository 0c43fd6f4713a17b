"""Multiple choice and bits per byte: what was kept, and what was learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from prism.report.charts.dots import DotSeries, Row, dot_chart
from prism.report.charts.figure import Figure
from prism.report.charts.lines import Axis
from prism.report.results import Results, Stage
from prism.report.sections.evaluation import mark
from prism.report.sections.palette import in_order
from prism.report.sections.sources import files, scores
from prism.report.shapes import Estimate, TaskResult

METRIC = {"choice": "accuracy", "bits_per_byte": "bits_per_byte"}
KEPT_DOMAINS = ("general", "chat")


@dataclass(frozen=True)
class LikelihoodRow:
    """`estimate` is a fraction or bits per byte; `change` from the root, in points or in percent."""

    stage: str
    estimate: Estimate | None
    change: float | None
    main: bool


@dataclass(frozen=True)
class LikelihoodTask:
    name: str
    kind: str
    domain: str
    description: str
    root: str
    figure: Figure
    rows: tuple[LikelihoodRow, ...]


def retention(results: Results) -> tuple[LikelihoodTask, ...]:
    """Tasks on general knowledge and text."""
    return tuple(task for task in _tasks(results) if task.domain in KEPT_DOMAINS)


def other_likelihood(results: Results) -> tuple[LikelihoodTask, ...]:
    """Tasks on the domains that training is after."""
    return tuple(task for task in _tasks(results) if task.domain not in KEPT_DOMAINS)


def _tasks(results: Results) -> list[LikelihoodTask]:
    chain = results.main_chain()
    stages = [results.stages[name] for name in in_order(results.stages, chain) if results.stages[name].tasks]
    found = {name: task for stage in stages for name, task in stage.tasks.items() if task.kind in METRIC}
    views = [_view(name, task, stages, chain) for name, task in found.items()]
    names = [stage.name for stage in stages]
    return [
        replace(view, figure=replace(view.figure, sources=files(results, scores(names, [view.name]))))
        for view in views
        if view is not None
    ]


def _view(name: str, task: TaskResult, stages: Sequence[Stage], chain: Sequence[str]) -> LikelihoodTask | None:
    metric, choice = METRIC[task.kind], task.kind == "choice"
    measured = [
        (stage.name, stage.tasks[name].metrics.get(metric) if name in stage.tasks else None) for stage in stages
    ]
    known = [estimate for _, estimate in measured if estimate is not None]
    if not known:
        return None
    root, reference = measured[0]
    factor = 100.0 if choice else 1.0
    rows = [
        Row(stage, (mark(0, estimate, factor),) if estimate else (), stage in chain) for stage, estimate in measured
    ]
    # Positions, not lengths, carry the values, so bits per byte needn't start at zero.
    axis = Axis("accuracy, %", low=0, high=100) if choice else Axis("bits per byte (less is better)")
    figure = dot_chart(name, (DotSeries(metric.replace("_", " "), 0),), rows, axis, unit="%" if choice else "")
    if figure is None:
        return None
    changes = tuple(
        LikelihoodRow(stage, estimate, _change(estimate, reference, choice), stage in chain)
        for stage, estimate in measured
    )
    return LikelihoodTask(name, task.kind, task.domain, task.description, root, figure, changes)


def _change(new: Estimate | None, old: Estimate | None, choice: bool) -> float | None:
    if new is None or old is None or new is old:
        return None
    if choice:
        return 100 * (new.value - old.value)
    return 100 * (new.value / old.value - 1) if old.value else None
