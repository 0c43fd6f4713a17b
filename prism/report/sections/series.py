"""How far the weights are from the start along a stage, and how many stayed (the paper's appendix on trajectories)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

from prism.report.charts.figure import Figure
from prism.report.charts.lines import Axis, Series, line_chart
from prism.report.results import Results
from prism.report.sections.sources import from_files
from prism.report.weight_shapes import Change, SeriesPoint, WeightSeries

_Read = Callable[[SeriesPoint], Change | None]


def weight_series(results: Results) -> tuple[Figure, ...]:
    """Of every trajectory that was taken: relative L2, and the share of elements changed by less than 1%."""
    named = {PurePosixPath(path).stem: one for path, one in results.trajectories.items()}
    figures = [
        _chart("Distance from the start, along training", named, _l2, Axis("relative L2", low=0)),
        _chart("Unchanged since the start, along training", named, _unchanged, Axis("% changed by less than 1%")),
    ]
    return from_files(results, results.trajectories, figures)


def _chart(
    heading: str, named: dict[str, WeightSeries], read: Callable[[Change], float | None], y: Axis
) -> Figure | None:
    series: list[Series] = []
    for name, one in named.items():
        kinds: dict[str, _Read] = {}
        if any(point.figures.in_bf16 is not None for point in one.points):
            kinds = {f"{name}, {one.points[0].figures.dtype}": _stored, f"{name}, rounded to bf16": _rounded}
        for label, of in (kinds or {name: _stored}).items():
            taken = [(point.step, of(point)) for point in one.points]
            values = [(step, read(change)) for step, change in taken if step is not None and change is not None]
            points = [(float(step), value) for step, value in values if value is not None]
            series.append(Series(label, points, len(series), markers=True))
    starts = ", ".join(dict.fromkeys(PurePosixPath(one.start).name for one in named.values()))
    return line_chart(heading, series, Axis("step", low=0, whole=True), y, note=f"Against {starts}.")


def _stored(point: SeriesPoint) -> Change | None:
    return point.figures.total


def _rounded(point: SeriesPoint) -> Change | None:
    return point.figures.in_bf16.total if point.figures.in_bf16 is not None else None


def _l2(change: Change) -> float | None:
    return change.relative_l2


def _unchanged(change: Change) -> float | None:
    return change.unchanged_percent.get(1.0)
