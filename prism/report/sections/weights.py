"""How far the weights moved, where, and how many stayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prism.report.analysis_shapes import Change, TensorChange, WeightComparison
from prism.report.charts.dots import DotSeries, Mark, Row, dot_chart
from prism.report.charts.figure import Figure
from prism.report.charts.lines import Axis, Series, line_chart
from prism.report.claims import NotRun, unchanged_percent
from prism.report.results import Pair, Results
from prism.report.sections.palette import pair_name, pairs

_Read = Callable[[Change], float | None]


@dataclass(frozen=True)
class WeightRow:
    """A row of the table: relative L2 in all and by component, percent of elements changed by less than 1%."""

    pair: str
    dtype: str
    relative_l2: float | None
    unchanged: float | None
    by_component: tuple[float | None, ...]


@dataclass(frozen=True)
class Weights:
    components: tuple[str, ...]
    rows: tuple[WeightRow, ...]
    figures: tuple[Figure, ...]


def weights(results: Results) -> Weights:
    compared = [results.weights[pair] for pair in pairs(results) if pair in results.weights]
    components = tuple(dict.fromkeys(name for one in compared for name in one.by_component))
    sub_components = tuple(dict.fromkeys(name for one in compared for name in one.by_sub_component))
    series = [DotSeries(pair_name(_pair(one)), index) for index, one in enumerate(compared)]
    l2 = Axis("relative L2 (log scale)", log=True)
    share = Axis("% of elements changed by less than 1%", low=0, high=100)

    def dots(heading: str, names: Sequence[str], read: _Read, sub: bool, axis: Axis) -> Figure | None:
        rows = [Row(name, _marks([_change(one, name, sub) for one in compared], read)) for name in names]
        return dot_chart(heading, series, rows, axis, joined=True)

    figures = [
        dots("Relative change by component", components, _relative, False, l2),
        _thresholds(compared),
        dots("Relative change by sub-component", sub_components, _relative, True, l2),
        dots("Unchanged by sub-component", sub_components, _unchanged, True, share),
        _by_layer("Relative change by layer", compared, _mean_l2, Axis("relative L2 (log scale)", log=True)),
        _by_layer("Unchanged by layer", compared, _mean_unchanged, Axis("% of elements", low=0)),
    ]
    rows = tuple(
        WeightRow(
            pair_name(_pair(one)),
            one.dtype,
            one.total.relative_l2,
            _unchanged(one.total),
            tuple(one.by_component[name].relative_l2 if name in one.by_component else None for name in components),
        )
        for one in compared
    )
    return Weights(components, rows, tuple(figure for figure in figures if figure is not None))


def _pair(one: WeightComparison) -> Pair:
    return one.before, one.after


def _change(one: WeightComparison, name: str, sub: bool) -> Change | None:
    return (one.by_sub_component if sub else one.by_component).get(name)


def _marks(changes: Sequence[Change | None], read: _Read) -> tuple[Mark, ...]:
    values = [(index, read(change)) for index, change in enumerate(changes) if change is not None]
    return tuple(Mark(index, value) for index, value in values if value is not None)


def _relative(change: Change) -> float | None:
    return change.relative_l2


def _unchanged(change: Change) -> float | None:
    try:
        return unchanged_percent(change)
    except NotRun:
        return None


def _thresholds(compared: Sequence[WeightComparison]) -> Figure | None:
    series = [
        Series(pair_name(_pair(one)), sorted(one.total.unchanged_percent.items()), index, markers=True)
        for index, one in enumerate(compared)
    ]
    return line_chart(
        "Unchanged, by what counts as unchanged",
        series,
        Axis("relative change below, % (log scale)", log=True),
        Axis("% of elements", low=0, high=100),
    )


def _by_layer(
    heading: str,
    compared: Sequence[WeightComparison],
    read: Callable[[Sequence[TensorChange]], float | None],
    axis: Axis,
) -> Figure | None:
    series = []
    for index, one in enumerate(compared):
        layers: dict[int, list[TensorChange]] = {}
        for tensor in one.tensors:
            if tensor.layer is not None:
                layers.setdefault(tensor.layer, []).append(tensor)
        points = [(float(layer), value) for layer in sorted(layers) if (value := read(layers[layer])) is not None]
        series.append(Series(pair_name(_pair(one)), points, index, markers=True))
    note = "Mean over a layer's tensors, weighted by their elements."
    return line_chart(heading, series, Axis("layer", whole=True), axis, note=note)


def _mean_l2(tensors: Sequence[TensorChange]) -> float | None:
    return _weighted([(tensor.relative_l2, tensor.elements) for tensor in tensors])


def _mean_unchanged(tensors: Sequence[TensorChange]) -> float | None:
    return _weighted([(tensor.unchanged_percent.get(1.0), tensor.elements) for tensor in tensors])


def _weighted(values: Sequence[tuple[float | None, int]]) -> float | None:
    known = [(value, weight) for value, weight in values if value is not None]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None
