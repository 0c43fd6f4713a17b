"""How two changes of weights lie to each other: their angle, and which elements both of them change.

| figure | definition |
|---|---|
| cosine | of the two changes as vectors: 1 for one direction, 0 for none in common |
| overlap (Jaccard) | elements that both change over elements that one of them does |
| lift | elements that both change over those that would be both's by chance, were the two independent |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Relation:
    """Sums over one or more tensors, from which the figures follow.

    Args:
        dot, squared_first, squared_second: products of the two changes.
        first, second, both: elements that changed, by threshold.
    """

    dot: float
    squared_first: float
    squared_second: float
    elements: int
    first: tuple[int, ...]
    second: tuple[int, ...]
    both: tuple[int, ...]

    def __add__(self, other: Relation) -> Relation:
        return Relation(
            self.dot + other.dot,
            self.squared_first + other.squared_first,
            self.squared_second + other.squared_second,
            self.elements + other.elements,
            _added(self.first, other.first),
            _added(self.second, other.second),
            _added(self.both, other.both),
        )

    @property
    def cosine(self) -> float | None:
        """None where one of the two changed nothing."""
        length = (self.squared_first * self.squared_second) ** 0.5
        return max(-1.0, min(1.0, self.dot / length)) if length else None

    def jaccard(self, index: int) -> float | None:
        """None where neither changed anything."""
        either = self.first[index] + self.second[index] - self.both[index]
        return self.both[index] / either if either else None

    def lift(self, index: int) -> float | None:
        """None where one of the two changed nothing."""
        by_chance = self.first[index] * self.second[index]
        return self.both[index] * self.elements / by_chance if by_chance else None

    def as_json(self, thresholds_percent: Sequence[float]) -> dict[str, Any]:
        """At threshold 0 every change counts."""
        overlap = {
            f"{threshold:g}": {
                "changed_first": self.first[index],
                "changed_second": self.second[index],
                "changed_both": self.both[index],
                "jaccard": self.jaccard(index),
                "lift": self.lift(index),
            }
            for index, threshold in enumerate(thresholds_percent)
        }
        return {"cosine": self.cosine, "elements": self.elements, "overlap": overlap}


def _added(one: Sequence[int], other: Sequence[int]) -> tuple[int, ...]:
    return tuple(first + second for first, second in zip(one, other, strict=True))
