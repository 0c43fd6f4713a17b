"""Linear CKA by layer."""

from __future__ import annotations

from prism.report.charts.figure import Figure
from prism.report.charts.lines import Axis, Series, line_chart
from prism.report.results import Results
from prism.report.sections.palette import pair_name, pairs


def representations(results: Results) -> tuple[Figure, ...]:
    """One chart for every set of inputs, with a curve and its interval for every pair."""
    compared = [results.cka[pair] for pair in pairs(results) if pair in results.cka]
    sets = dict.fromkeys(inputs.name for one in compared for inputs in one.inputs)
    figures = []
    for name in sets:
        series = [
            Series(
                pair_name((one.before, one.after)),
                [(float(layer.layer), layer.cka) for layer in inputs.layers],
                index,
                markers=True,
                band=[(float(layer.layer), layer.low, layer.high) for layer in inputs.layers],
            )
            for index, one in enumerate(compared)
            for inputs in one.inputs
            if inputs.name == name
        ]
        figures.append(line_chart(f"CKA on {name}", series, Axis("layer", whole=True), Axis("linear CKA", high=1.0)))
    return tuple(figure for figure in figures if figure is not None)


def least(results: Results) -> tuple[tuple[str, float], ...]:
    """Pairs with their least CKA."""
    values = [(pair_name(pair), results.cka[pair].minimum) for pair in pairs(results) if pair in results.cka]
    return tuple((name, value) for name, value in values if value is not None)
