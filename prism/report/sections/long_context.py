"""RULER scores of every stage over the length of the context."""

from __future__ import annotations

from dataclasses import dataclass, replace

from prism.report.charts.figure import Figure
from prism.report.charts.lines import Axis, Series, line_chart
from prism.report.results import Results
from prism.report.sections.palette import in_order
from prism.report.sections.sources import files


@dataclass(frozen=True)
class LongContextRow:
    """Percent at each length of the table, mean over its tasks; None where the stage wasn't measured."""

    stage: str
    scores: tuple[float | None, ...]
    main: bool


@dataclass(frozen=True)
class LongContext:
    lengths: tuple[int, ...]
    tasks: tuple[str, ...]
    figure: Figure
    rows: tuple[LongContextRow, ...]


def long_context(results: Results) -> LongContext | None:
    """None where no stage was evaluated on a RULER task."""
    chain = results.main_chain()
    by_stage = {name: results.stages[name].ruler() for name in in_order(results.stages, chain)}
    by_stage = {name: its for name, its in by_stage.items() if its}
    means = {
        name: {
            length: 100 * sum(task.metrics["score"].value for task in tasks.values()) / len(tasks)
            for length, tasks in its.items()
        }
        for name, its in by_stage.items()
    }
    lengths = tuple(sorted({length for its in means.values() for length in its}))
    series = [
        Series(name, [(float(length), score) for length, score in its.items()], colour, markers=True)
        for colour, (name, its) in enumerate(means.items())
    ]
    figure = line_chart(
        "RULER by length",
        series,
        Axis("tokens of prompt and answer", log=True),
        Axis("score, %", low=0, high=100),
        note="Mean over the tasks of a length.",
    )
    if figure is None:
        return None
    figure = replace(figure, sources=files(results, [f"stages/{name}/evaluate/*@*.json" for name in by_stage]))
    tasks = dict.fromkeys(task for its in by_stage.values() for tasks in its.values() for task in tasks)
    rows = tuple(
        LongContextRow(name, tuple(its.get(length) for length in lengths), name in chain) for name, its in means.items()
    )
    return LongContext(lengths, tuple(tasks), figure, rows)
