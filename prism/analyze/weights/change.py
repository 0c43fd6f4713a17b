"""How far weights moved, and how many stayed (paper section 10, Tables 12, 22, 23).

| figure | definition |
|---|---|
| relative L2 | norm of the change over norm of the old weights; groups of tensors are pooled before dividing |
| mean relative L2 | mean over the group's matrices of each one's relative L2 |
| unchanged | share of elements that changed by less than a percentage of their size; a zero if it stayed zero |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

THRESHOLDS_PERCENT = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Table 22."""


@dataclass(frozen=True)
class Change:
    """Sums over one or more tensors, from which the figures follow.

    Args:
        unchanged: elements by threshold, in the order of the thresholds.
    """

    squared_change: float
    squared_old: float
    elements: int
    unchanged: tuple[int, ...]

    def __add__(self, other: Change) -> Change:
        return Change(
            self.squared_change + other.squared_change,
            self.squared_old + other.squared_old,
            self.elements + other.elements,
            tuple(one + more for one, more in zip(self.unchanged, other.unchanged, strict=True)),
        )

    @property
    def relative_l2(self) -> float | None:
        """None where the old weights are all zero."""
        return float((self.squared_change / self.squared_old) ** 0.5) if self.squared_old else None

    def unchanged_percent(self, index: int) -> float:
        """At the threshold of this index; of no elements, all are unchanged."""
        return 100 * self.unchanged[index] / self.elements if self.elements else 100.0

    def as_json(self, thresholds_percent: Sequence[float]) -> dict[str, Any]:
        unchanged = {f"{value:g}": self.unchanged_percent(index) for index, value in enumerate(thresholds_percent)}
        return {"relative_l2": self.relative_l2, "unchanged_percent": unchanged, "elements": self.elements}
