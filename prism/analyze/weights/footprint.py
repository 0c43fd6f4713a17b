"""Whether two trainings leave the same footprint: RL from the base against RL from the mid-trained model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from prism.analyze.weights.compare import Analysis, Comparison, RelationSaid


@dataclass(frozen=True)
class Alike:
    """Pearson's and Spearman's correlation of a figure over `count` parts; None where it doesn't vary."""

    pearson: float | None
    spearman: float | None
    count: int


@dataclass(frozen=True)
class Footprint:
    """Two changes held against each other.

    Args:
        relation: direction and common elements, element by element.
        l2_by_matrix, l2_by_sub_component: whether the same parts move far.
        changed_by_matrix: whether the same parts have many changed elements, at the relation's last threshold.
    """

    first: Comparison
    second: Comparison
    relation: RelationSaid
    l2_by_matrix: Alike
    l2_by_sub_component: Alike
    changed_by_matrix: Alike

    def as_json(self) -> dict[str, Any]:
        return {
            "l2_by_matrix": asdict(self.l2_by_matrix),
            "l2_by_sub_component": asdict(self.l2_by_sub_component),
            "changed_by_matrix": asdict(self.changed_by_matrix),
        }


def footprint(analysis: Analysis) -> Footprint:
    """Of an analysis of two pairs and their relation."""
    (first, second), (relation,) = analysis.comparisons, analysis.relations
    moved = [[change.relative_l2 for change in one.groups.total.values] for one in (first, second)]
    parts = [
        [group.sum.relative_l2 for group in one.groups.by_sub_component.values()] for one in (first, second)
    ]  # of one model: the same parts in the same order
    counts = [
        [value.first[-1] / value.elements for value in relation.groups.total.values if value.elements],
        [value.second[-1] / value.elements for value in relation.groups.total.values if value.elements],
    ]
    return Footprint(first, second, relation, _alike(*moved), _alike(*parts), _alike(*counts))


def _alike(one: Sequence[float | None], other: Sequence[float | None]) -> Alike:
    pairs = [(x, y) for x, y in zip(one, other, strict=True) if x is not None and y is not None]
    first, second = [x for x, _ in pairs], [y for _, y in pairs]
    return Alike(_pearson(first, second), _pearson(_ranks(first), _ranks(second)), len(pairs))


def _pearson(x: Sequence[float], y: Sequence[float]) -> float | None:
    if len(x) < 2:
        return None
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    dx, dy = [value - mean_x for value in x], [value - mean_y for value in y]
    length = (sum(value**2 for value in dx) * sum(value**2 for value in dy)) ** 0.5
    return sum(one * other for one, other in zip(dx, dy, strict=True)) / length if length else None


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 0; equal values share their mean rank."""
    order = sorted(values)
    first = {value: index for index, value in reversed(list(enumerate(order)))}
    last = {value: index for index, value in enumerate(order)}
    return [(first[value] + last[value]) / 2 for value in values]
