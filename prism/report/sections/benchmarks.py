"""Benchmarks: tasks of lm-evaluation-harness, and the paper's benchmarks beside its own figures of the same model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from prism.paper import benchmarks as known_benchmarks
from prism.report.charts.dots import DotSeries, Mark, Row, dot_chart
from prism.report.charts.figure import Figure
from prism.report.charts.lines import Axis
from prism.report.results import Results, Stage
from prism.report.sections.evaluation import mark
from prism.report.sections.palette import in_order
from prism.report.sections.sources import from_files, scores
from prism.report.shapes import Estimate
from prism.report.tables.beside import compared_by_benchmark
from prism.report.tables.pipeline import benchmark_table, pipeline_table
from prism.report.tables.published import published
from prism.report.tables.scores import score
from prism.report.tables.subject import Role, Subject, subject_of
from prism.report.tables.table import Table

_PAPERS_TABLES = (11, 6, 19, 4)
_SERIES = (DotSeries("run", 0), DotSeries("paper", 1, hollow=True))


@dataclass(frozen=True)
class HarnessRow:
    """A task's main metric, and its figure at every stage of the table."""

    task: str
    metric: str
    is_share: bool
    figures: tuple[Estimate | None, ...]


@dataclass(frozen=True)
class Harness:
    stages: tuple[str, ...]
    rows: tuple[HarnessRow, ...]
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class BesidePaper:
    """`figures`: a chart a stage that the paper has too; `tables` with the paper's rows and the differences."""

    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]


def harness(results: Results) -> Harness | None:
    """None where no stage was evaluated on a task of the harness."""
    chain = results.main_chain()
    stages = [results.stages[name] for name in in_order(results.stages, chain)]
    stages = [stage for stage in stages if any(task.kind == "harness" for task in stage.tasks.values())]
    names = dict.fromkeys(name for stage in stages for name, task in stage.tasks.items() if task.kind == "harness")
    rows = [row for name in names if (row := _harness_row(stages, name)) is not None]
    if not rows:
        return None
    series = [DotSeries(stage.name, index) for index, stage in enumerate(stages) if stage.name in chain]
    shown = [stages.index(next(stage for stage in stages if stage.name == one.name)) for one in series]
    drawn = [
        Row(
            row.task,
            tuple(
                mark(place, estimate, 100)
                for place, index in enumerate(shown)
                if (estimate := row.figures[index]) is not None
            ),
        )
        for row in rows
        if row.is_share
    ]
    chart = dot_chart(
        "Tasks of lm-evaluation-harness", series, drawn, Axis("main metric, %", low=0, high=100), unit="%"
    )
    read = scores([stage.name for stage in stages], list(names))
    return Harness(tuple(stage.name for stage in stages), tuple(rows), from_files(results, read, [chart]))


def _harness_row(stages: Sequence[Stage], task: str) -> HarnessRow | None:
    results = [stage.tasks.get(task) for stage in stages]
    metric = next((one.main_metric() for one in results if one is not None), None)
    if metric is None:
        return None
    figures = tuple(one.metrics.get(metric) if one is not None else None for one in results)
    return HarnessRow(task, metric, all(one is None or 0 <= one.value <= 1 for one in figures), figures)


def beside_paper(results: Results) -> BesidePaper | None:
    """None for a run that is of none of the paper's models and has none of its benchmarks."""
    subject = subject_of(results)
    measured = subject.has_paper_benchmarks and any(stage.tasks for stage in results.stages.values())
    if not measured or not compared_by_benchmark(subject):
        return None
    charts = [_chart(subject, role) for role in subject.stages("base", "mid", "rl")]
    tables = (benchmark_table(subject), pipeline_table(subject))
    return BesidePaper(tuple(one for one in charts if one is not None), tables)


def _chart(subject: Subject, role: Role) -> Figure | None:
    """A stage's scores and averages, the paper's of the same model, mixture and RL beside them."""
    known = known_benchmarks()
    names = [*known.averages, *known.benchmarks]
    stage = subject.results.stages[role.stage]
    ours = {name: score(subject, stage, name) for name in names}
    theirs = None
    if subject.model is not None and role.like_paper:
        theirs = published(subject.model, role.midtrain, role.rl, names, _PAPERS_TABLES)
    papers = dict(zip(names, theirs.cells, strict=True)) if theirs is not None else {}
    rows = []
    for name in names:
        cell, paper = ours[name], papers.get(name)
        marks = [Mark(0, cell.value, cell.low, cell.high)] if cell.value is not None else []
        if marks:
            marks += [Mark(1, paper.value)] if paper is not None and paper.value is not None else []
            rows.append(Row(known.title(name), tuple(marks), name in known.averages))
    said = "The paper has no such stage." if theirs is None else f"Paper: {theirs.label.removeprefix('paper, ')}."
    heading = f"{subject.title}: {role.stage}"
    figure = dot_chart(heading, _SERIES, rows, Axis("score, %", low=0), unit="%", note=said)
    read = dict.fromkeys(source for cell in ours.values() for source in cell.sources)
    return None if figure is None else replace(figure, sources=tuple(read))
