"""Weights a bucket at a time: as many as fit into a number of bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

Item = TypeVar("Item")


@dataclass(frozen=True)
class Bucket:
    """Whole tensors by Hugging Face names; the `number`th of a policy, from 0. Empty where a rank only helps."""

    number: int
    tensors: tuple[tuple[str, Tensor], ...]

    @property
    def bytes(self) -> int:
        return sum(tensor.nbytes for _, tensor in self.tensors)


def in_buckets(items: Sequence[Item], size: Callable[[Item], int], limit: int) -> list[list[Item]]:
    """`items` in order, cut into runs of at most `limit` bytes; one that is larger is a run of its own."""
    runs: list[list[Item]] = []
    left = 0
    for item in items:
        needed = size(item)
        if not runs or needed > left:
            runs.append([])
            left = limit
        runs[-1].append(item)
        left -= needed
    return runs
