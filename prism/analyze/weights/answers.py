"""What is asked of every tensor, and what is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prism.analyze.weights.change import THRESHOLDS_PERCENT, Change
from prism.analyze.weights.components import Cut
from prism.analyze.weights.relation import Relation

Pair = tuple[int, int]
"""Positions of the old and the new source."""


@dataclass(frozen=True)
class Asked:
    """Changes to sum up, and pairs of changes to hold against each other.

    Args:
        relation_thresholds_percent: what counts as a change in a relation; at 0 any other value does.
    """

    pairs: tuple[Pair, ...]
    thresholds_percent: tuple[float, ...] = THRESHOLDS_PERCENT
    relations: tuple[tuple[Pair, Pair], ...] = ()
    relation_thresholds_percent: tuple[float, ...] = (0.0, 1.0)


@dataclass(frozen=True)
class Answer:
    """What was asked, of one matrix or vector. `in_bf16` is None where a change was taken in bf16 anyhow."""

    cut: Cut
    changes: tuple[Change, ...]
    in_bf16: tuple[Change | None, ...]
    relations: tuple[Relation, ...]

    def __add__(self, other: Answer) -> Answer:
        """Of more rows of the same."""
        return Answer(
            self.cut,
            tuple(one + more for one, more in zip(self.changes, other.changes, strict=True)),
            tuple(
                None if one is None or more is None else one + more
                for one, more in zip(self.in_bf16, other.in_bf16, strict=True)
            ),
            tuple(one + more for one, more in zip(self.relations, other.relations, strict=True)),
        )


@dataclass(frozen=True)
class Described:
    """What a source holds of a tensor. `xxh3` is of its bytes."""

    dtype: str
    shape: tuple[int, ...]
    xxh3: str


@dataclass(frozen=True)
class Finished:
    """A tensor that has been read: the answers of its matrices, and what each source holds."""

    answers: Sequence[Answer]
    described: Sequence[Described]
