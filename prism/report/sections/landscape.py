"""What weights between the chain's models score: along the path from base over mid to RL, and on the plane."""

from __future__ import annotations

from prism.report.analysis_shapes import Landscape
from prism.report.charts.figure import Figure
from prism.report.charts.heat import heat_map
from prism.report.charts.lines import Axis, Series, line_chart
from prism.report.results import Results

_PERCENT = ("pass_rate", "pass_rate_greedy", "accuracy", "score")


def landscape(results: Results) -> tuple[Figure, ...]:
    """Path and plane; the plane once all of its points are there."""
    one = results.landscape
    if one is None:
        return ()
    return tuple(figure for figure in (_path(one), _plane(one)) if figure is not None)


def _path(one: Landscape) -> Figure | None:
    points = sorted((point for point in one.points if point.on_path), key=lambda point: point.alpha + point.beta)
    scale = _scale(one)
    series = Series(
        f"{one.task}",
        [(point.alpha + point.beta, scale * point.value) for point in points],
        0,
        markers=True,
        band=[(point.alpha + point.beta, scale * point.low, scale * point.high) for point in points],
    )
    base, mid, rl = one.chain
    x = Axis(f"α + β: 0 is {base}, 1 {mid}, 2 {rl}", low=0, high=2)
    note = f"First α goes from 0 to 1, then β. Band: 95% interval.{_left(one)}"
    return line_chart(f"{_measure(one)} along the path", [series], x, Axis(_unit(one), low=0), note=note)


def _plane(one: Landscape) -> Figure | None:
    found = {(point.alpha, point.beta): _scale(one) * point.value for point in one.points}
    if not one.plane or any((alpha, beta) not in found for alpha in one.values for beta in one.values):
        return None
    matrix = [[found[alpha, beta] for alpha in one.values] for beta in one.values]
    names = [f"{value:g}" for value in one.values]
    most = max(max(row) for row in matrix)
    base, mid, rl = one.chain
    note = f"α = 0, β = 0 is {base}; α = 1, β = 0 {mid}; α = 1, β = 1 {rl}. A full square: {most:.3g}."
    heading = f"{_measure(one)} on the plane"
    return heat_map(heading, matrix, "β", "α", note=note, names=(names, names), full=most or 1.0)


def _measure(one: Landscape) -> str:
    return f"{one.metric.replace('_', ' ').capitalize()} of {one.task}"


def _unit(one: Landscape) -> str:
    return "%" if one.metric in _PERCENT else one.metric.replace("_", " ")


def _scale(one: Landscape) -> float:
    return 100.0 if one.metric in _PERCENT else 1.0


def _left(one: Landscape) -> str:
    return "" if one.complete else " Not all points are there yet."
