"""Two changes of the weights against each other: do they point one way, and change the same elements?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from prism.report.charts.dots import DotSeries, Mark, Row, dot_chart
from prism.report.charts.figure import Figure
from prism.report.charts.lines import Axis
from prism.report.results import Results
from prism.report.sections.palette import pair_name
from prism.report.sections.sources import from_files
from prism.report.weight_shapes import Footprint, Overlap, Relation


@dataclass(frozen=True)
class RelationRow:
    """`overlaps` in the order of the section's thresholds; footprint: of two trainings, where it was taken."""

    first: str
    second: str
    cosine: float | None
    overlaps: tuple[Overlap | None, ...]
    footprint: Footprint | None


@dataclass(frozen=True)
class Relations:
    """`thresholds`: what counts as a change, in percent of an element; 0: anything."""

    thresholds: tuple[float, ...]
    rows: tuple[RelationRow, ...]
    figure: Figure | None


def relations(results: Results) -> Relations | None:
    """None where no two changes were held against each other."""
    found = [(one, file.footprint) for file in results.relations.values() for one in file.relations]
    if not found:
        return None
    thresholds = tuple(sorted({threshold for one, _ in found for threshold in one.total.overlap}))
    rows = tuple(
        RelationRow(
            pair_name(one.first),
            pair_name(one.second),
            one.total.cosine,
            tuple(one.total.overlap.get(threshold) for threshold in thresholds),
            footprint,
        )
        for one, footprint in found
    )
    (figure,) = from_files(results, results.relations, [_by_component([one for one, _ in found])]) or (None,)
    return Relations(thresholds, rows, figure)


def _by_component(found: list[Relation]) -> Figure | None:
    series = [
        DotSeries(f"{pair_name(one.first)} against {pair_name(one.second)}", index) for index, one in enumerate(found)
    ]
    names = dict.fromkeys(["all matrices", *(name for one in found for name in one.by_component)])
    rows = [Row(name, tuple(_marks(found, name)), name == "all matrices") for name in names]
    axis = Axis("cosine: 1 one direction, 0 none in common", low=0, high=1)
    return dot_chart("Direction of two changes, by component", series, rows, axis, joined=True)


def _marks(found: list[Relation], name: str) -> Iterable[Mark]:
    for index, one in enumerate(found):
        direction = one.total if name == "all matrices" else one.by_component.get(name)
        if direction is not None and direction.cosine is not None:
            yield Mark(index, direction.cosine)
