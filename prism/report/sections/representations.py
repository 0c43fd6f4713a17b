"""Linear CKA by layer."""

from __future__ import annotations

from prism.report.analysis_shapes import CkaComparison
from prism.report.charts.figure import Figure
from prism.report.charts.heat import heat_map
from prism.report.charts.lines import Axis, Series, line_chart
from prism.report.results import Results
from prism.report.sections.palette import pair_name, pairs

_MOST_MATRICES = 3


def representations(results: Results) -> tuple[Figure, ...]:
    """A chart for every set of inputs, with a curve and its interval for every pair; the first pairs layer by layer."""
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
    figures += [_layers(one) for one in compared[:_MOST_MATRICES]]
    return tuple(figure for figure in figures if figure is not None)


def _layers(one: CkaComparison) -> Figure | None:
    """Every layer with every layer, on the first set of inputs that was compared so."""
    first = next((inputs for inputs in one.inputs if inputs.matrix), None)
    if first is None:
        return None
    heading = f"CKA of every layer, {pair_name((one.before, one.after))}"
    note = f"On {first.name}. Where the diagonal stays full, layers kept their place."
    return heat_map(heading, first.matrix, f"layer of {one.before}", f"layer of {one.after}", note=note)


def least(results: Results) -> tuple[tuple[str, float], ...]:
    """Pairs with their least CKA."""
    values = [(pair_name(pair), results.cka[pair].minimum) for pair in pairs(results) if pair in results.cka]
    return tuple((name, value) for name, value in values if value is not None)
