"""How far the weights moved, where, and how many stayed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from prism.report.charts.dots import DotSeries, Mark, Row, dot_chart
from prism.report.charts.figure import Figure
from prism.report.charts.grid import grid_chart
from prism.report.charts.lines import Axis, Series, line_chart
from prism.report.claims import NotRun, unchanged_percent
from prism.report.results import Pair, Results
from prism.report.sections.palette import pair_name, pairs
from prism.report.sections.sources import from_files
from prism.report.tables.subject import ROUNDED
from prism.report.weight_shapes import Change, Changes, WeightComparison

_Read = Callable[[Change], float | None]
_MOST_GRIDS = 3
_L2 = Axis("relative L2 (log scale)", log=True)


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
    """`figures` as the weights are stored, `in_bf16` of what is left after rounding; none where they are bf16."""

    components: tuple[str, ...]
    rows: tuple[WeightRow, ...]
    figures: tuple[Figure, ...]
    in_bf16: tuple[Figure, ...]


def weights(results: Results) -> Weights:
    compared = {pair: results.weights[pair] for pair in pairs(results) if pair in results.weights}
    rounded = {pair: one.in_bf16 for pair, one in compared.items() if one.in_bf16 is not None}
    components = tuple(dict.fromkeys(name for one in compared.values() for name in one.by_component))
    rows = []
    for pair, one in compared.items():
        rows.append(_row(pair, one, one.dtype, components))
        rows += [_row(pair, rounded[pair], ROUNDED, components)] if pair in rounded else []
    files = [_file(pair) for pair in compared]
    figures = [
        _dots("Relative change by component", compared, components, False, _relative, _L2),
        _thresholds("Unchanged, by what counts as unchanged", compared),
        _dots("Relative change by sub-component", compared, _parts(compared), True, _relative, _L2),
        _dots("Unchanged by sub-component", compared, _parts(compared), True, _unchanged, _SHARE),
        _by_layer("Relative change by layer", compared, _relative, _L2),
        _by_layer("Unchanged by layer", compared, _unchanged, Axis("% of elements", low=0)),
    ]
    grids: list[Figure] = []
    for pair in list(compared)[:_MOST_GRIDS]:
        grids += from_files(results, [_file(pair)], [_grid(pair, compared[pair])])
    in_bf16 = [
        _thresholds("Unchanged in bf16, by what counts as unchanged", rounded),
        _dots("Unchanged in bf16 by sub-component", rounded, _parts(rounded), True, _unchanged, _SHARE),
    ]
    return Weights(
        components,
        tuple(rows),
        (*from_files(results, files, figures), *grids),
        from_files(results, [_file(pair) for pair in rounded], in_bf16),
    )


_SHARE = Axis("% of elements changed by less than 1%", low=0, high=100)


def _file(pair: Pair) -> str:
    return f"analysis/weights/{pair[0]}__{pair[1]}.json"


def _row(pair: Pair, one: Changes, dtype: str, components: Sequence[str]) -> WeightRow:
    by_component = tuple(
        one.by_component[name].relative_l2 if name in one.by_component else None for name in components
    )
    return WeightRow(pair_name(pair), dtype, one.total.relative_l2, _unchanged(one.total), by_component)


def _parts(compared: Mapping[Pair, Changes]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for one in compared.values() for name in one.by_sub_component))


def _relative(change: Change) -> float | None:
    return change.relative_l2


def _unchanged(change: Change) -> float | None:
    try:
        return unchanged_percent(change)
    except NotRun:
        return None


def _dots(
    heading: str, compared: Mapping[Pair, Changes], names: Sequence[str], sub: bool, read: _Read, axis: Axis
) -> Figure | None:
    series = [DotSeries(pair_name(pair), index) for index, pair in enumerate(compared)]
    rows = []
    for name in names:
        found = [(one.by_sub_component if sub else one.by_component).get(name) for one in compared.values()]
        values = [(index, read(change)) for index, change in enumerate(found) if change is not None]
        rows.append(Row(name, tuple(Mark(index, value) for index, value in values if value is not None)))
    return dot_chart(heading, series, rows, axis, joined=True)


def _thresholds(heading: str, compared: Mapping[Pair, Changes]) -> Figure | None:
    series = [
        Series(pair_name(pair), sorted(one.total.unchanged_percent.items()), index, markers=True)
        for index, (pair, one) in enumerate(compared.items())
    ]
    x = Axis("relative change below, % (log scale)", log=True)
    return line_chart(heading, series, x, Axis("% of elements", low=0, high=100))


def _by_layer(heading: str, compared: Mapping[Pair, Changes], read: _Read, axis: Axis) -> Figure | None:
    series = []
    for index, (pair, one) in enumerate(compared.items()):
        values = [(float(layer), read(change)) for layer, change in sorted(one.by_layer.items())]
        points = [(layer, value) for layer, value in values if value is not None]
        series.append(Series(pair_name(pair), points, index, markers=True))
    return line_chart(heading, series, Axis("layer", whole=True), axis, note="A layer's tensors pooled.")


def _grid(pair: Pair, one: WeightComparison) -> Figure | None:
    """Relative L2 of every part of every layer; of several tensors their mean, weighted by elements."""
    found: dict[str, dict[int, list[tuple[float, int]]]] = {}
    for tensor in one.tensors:
        if tensor.layer is not None and tensor.relative_l2 is not None:
            parts = found.setdefault(tensor.sub_component, {})
            parts.setdefault(tensor.layer, []).append((tensor.relative_l2, tensor.elements))
    rows = {
        name: {layer: _mean(values) for layer, values in sorted(layers.items())}
        for name, layers in sorted(found.items())
    }
    heading = f"Relative change by part and layer, {pair_name(pair)}"
    return grid_chart(heading, rows, "layer", "relative L2", note="Shades by logarithm, each chart by its own scale.")


def _mean(values: Sequence[tuple[float, int]]) -> float:
    total = sum(elements for _, elements in values)
    return sum(value * elements for value, elements in values) / total if total else 0.0
