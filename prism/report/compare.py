"""Several runs on one page: what their recipes say differently, and what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from data_prep.files import write_text
from prism.errors import UsageError
from prism.report.charts.dots import DotSeries, Mark, Row, dot_chart
from prism.report.charts.figure import Figure
from prism.report.charts.lines import Axis, line_chart
from prism.report.claims import evaluate_claims
from prism.report.environment import render_page
from prism.report.results import Results, Stage, load_results
from prism.report.sections.answers import Answer, answers
from prism.report.sections.likelihood import KEPT_DOMAINS, METRIC
from prism.report.sections.training import smooth
from prism.report.side_by_side import BenchmarkTable, MovedRow, benchmark_table, moved_table

FILE_NAME = "compare.html"
_OWN_KEYS = ("run.name", "run.directory", "claims", "schema_version")
"""Keys that every run has of its own, or that change nothing."""


@dataclass(frozen=True)
class ComparedRun:
    """link: to its own report, from the page's folder; None where there is none."""

    name: str
    results: Results
    answers: tuple[Answer, ...]
    claims: str
    link: str | None


@dataclass(frozen=True)
class Comparison:
    """differences: a key with its value in each run, as text."""

    runs: tuple[ComparedRun, ...]
    differences: tuple[tuple[str, tuple[str, ...]], ...]
    outcome: tuple[Figure, ...]
    curves: tuple[Figure, ...]
    benchmarks: BenchmarkTable | None
    moved: tuple[MovedRow, ...]


def write_comparison(directories: Sequence[Path], out: Path) -> Path:
    """Writes the page of two or more runs to `out` (a folder, or an .html file); returns its path.

    Raises:
        BadInput: a folder isn't that of a run, or a file of it is damaged.
        UsageError: fewer than two runs, or one of them twice.
    """
    places = [directory.resolve() for directory in directories]
    if len(set(places)) < max(2, len(places)):
        raise UsageError("give two or more different runs", place="prism report", remedy="prism report RUN RUN ...")
    path = out if out.suffix == ".html" else out / FILE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, render_page("compare.html.j2", compare(places, path.parent.resolve())))
    return path


def compare(directories: Sequence[Path], folder: Path) -> Comparison:
    """What the template reads. folder: where the page will lie."""
    names = _names(directories)
    runs = tuple(
        _run(name, load_results(directory), folder) for name, directory in zip(names, directories, strict=True)
    )
    results = [run.results for run in runs]
    return Comparison(
        runs,
        tuple(_differences(runs)),
        tuple(_outcome(runs)),
        tuple(_curves(runs)),
        benchmark_table(results),
        moved_table(results),
    )


def _names(directories: Sequence[Path]) -> list[str]:
    """The folders' names, with as much of their paths as tells them apart."""
    common = Path(os.path.commonpath([directory.parent for directory in directories]))
    short = [directory.name for directory in directories]
    return short if len(set(short)) == len(short) else [str(one.relative_to(common)) for one in directories]


def _run(name: str, results: Results, folder: Path) -> ComparedRun:
    claims = evaluate_claims(results)
    judged = [claim for claim in claims if claim.holds is not None]
    report = results.directory / "report.html"
    return ComparedRun(
        name,
        results,
        answers(results, claims),
        f"{sum(claim.holds is True for claim in judged)} of {len(judged)}" if judged else "–",
        os.path.relpath(report, folder) if report.is_file() else None,
    )


def _differences(runs: Sequence[ComparedRun]) -> Iterator[tuple[str, tuple[str, ...]]]:
    flat = [dict(_flat(yaml.safe_load(run.results.recipe_text) or {})) for run in runs]
    for key in sorted({key for one in flat for key in one}):
        if key.startswith(_OWN_KEYS):
            continue
        values = tuple(one.get(key, "–") for one in flat)
        if len(set(values)) > 1:
            yield key, values


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def _outcome(runs: Sequence[ComparedRun]) -> Iterator[Figure]:
    """Dots: a row a stage of the main chains, a mark a run."""
    series = [DotSeries(run.name, index) for index, run in enumerate(runs)]
    stages = list(dict.fromkeys(name for run in runs for name in run.results.main_chain()))
    domains = list(
        dict.fromkeys(domain for run in runs for one in run.results.stages.values() for domain in one.domains())
    )
    made = [
        _dots(runs, series, stages, "Sampled pass rate, mean of the tasks", Axis("%", low=0), _pass_rate(None)),
        *(
            _dots(runs, series, stages, f"Sampled pass rate: {one}", Axis("%", low=0), _pass_rate(one))
            for one in domains
        ),
    ]
    for task, kind in dict.fromkeys(
        (name, task.kind)
        for run in runs
        for stage in run.results.stages.values()
        for name, task in stage.tasks.items()
        if task.kind in METRIC and task.domain in KEPT_DOMAINS
    ):
        axis = Axis("accuracy, %", low=0, high=100) if kind == "choice" else Axis("bits per byte (less is better)")
        made.append(_dots(runs, series, stages, f"General skill: {task}", axis, _likelihood(task, METRIC[kind])))
    made.append(
        _dots(
            runs,
            series,
            stages[1:],
            "Weights moved from the stage before",
            Axis("relative L2 (log scale)", log=True),
            _moved,
        )
    )
    yield from (one for one in made if one is not None)


_Read = Callable[[Results, Stage], tuple[float, float | None, float | None] | None]


def _dots(
    runs: Sequence[ComparedRun],
    series: Sequence[DotSeries],
    stages: Sequence[str],
    heading: str,
    axis: Axis,
    read: _Read,
) -> Figure | None:
    rows = []
    for name in stages:
        found = [
            (index, read(run.results, run.results.stages[name]))
            for index, run in enumerate(runs)
            if name in run.results.main_chain()
        ]
        rows.append(Row(name, tuple(Mark(index, *value) for index, value in found if value is not None)))
    return dot_chart(heading, series, rows, axis) if any(row.marks for row in rows) else None


def _pass_rate(domain: str | None) -> _Read:
    def read(_: Results, stage: Stage) -> tuple[float, None, None] | None:
        rate = stage.mean("pass_rate", domain)
        return None if rate is None else (100 * rate, None, None)

    return read


def _likelihood(task: str, metric: str) -> _Read:
    def read(_: Results, stage: Stage) -> tuple[float, float, float] | None:
        found = stage.tasks[task].metrics.get(metric) if task in stage.tasks else None
        factor = 100 if metric == "accuracy" else 1
        return None if found is None else (factor * found.value, factor * found.low, factor * found.high)

    return read


def _moved(results: Results, stage: Stage) -> tuple[float, None, None] | None:
    found = results.weights.get((str(stage.parent), stage.name))
    return None if found is None or not found.total.relative_l2 else (found.total.relative_l2, None, None)


def _curves(runs: Sequence[ComparedRun]) -> Iterator[Figure]:
    """Lines over steps: a figure a stage of the main chains, a curve a run."""
    steps = Axis("step", low=0, whole=True)
    for name in dict.fromkeys(name for run in runs for name in run.results.main_chain()):
        losses, rewards = [], []
        for index, run in enumerate(runs):
            stage = run.results.stages.get(name)
            if stage is not None:
                points = [(float(one.step), one.loss) for one in stage.training]
                losses += smooth(run.name, points, index, faint=False)
                rewards += smooth(run.name, [(float(one.step), one.reward) for one in stage.rl], index, faint=False)
        for heading, series, label in (
            (f"Loss: {name}", losses, "nats a token"),
            (f"Reward: {name}", rewards, "mean reward"),
        ):
            figure = line_chart(heading, series, steps, Axis(label), note="Running means.")
            if figure is not None:
                yield figure
