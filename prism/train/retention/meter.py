"""Reads a model's likelihoods for several measures in one go, in batches of similar length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from prism.megatron.parallel import Layout, data_parallel_size
from prism.megatron.trainee import Trainee
from prism.train.held_out import HeldOut, Passage
from prism.train.retention.degradation import Floats
from prism.train.retention.measures import Measure

_SHORTEST = 8


class Meter:
    """Scores of every measure under a model. All ranks hold one and call it together.

    Args:
        tokens_at_once: tokens of a micro batch in training; here no more are padded together.
        longest: positions that a row may have.
        layout: rows can be cut as it wants sequences cut.
    """

    def __init__(self, measures: Mapping[str, Measure], tokens_at_once: int, longest: int, layout: Layout) -> None:
        self._measures = measures
        passages: list[Passage] = []
        self._slices: dict[str, slice] = {}
        for name, measure in measures.items():
            start = len(passages)
            passages += [replace(passage, group=start + passage.group) for passage in measure.passages]
            self._slices[name] = slice(start, len(passages))
        self._groups = len(passages)
        self._held_out: list[HeldOut] = []
        self.tokens = 0
        """Positions that a look reads, padding included, over all ranks."""
        replicas = data_parallel_size()
        for length, members in _by_length(passages, longest, layout).items():
            most = max(1, tokens_at_once // length)
            rounds = _over(len(members), most * replicas)
            rows = _over(len(members), rounds * replicas)
            self._held_out.append(HeldOut(members, self._groups, length, rows))
            self.tokens += rounds * rows * replicas * length

    def scores(self, trainee: Trainee) -> dict[str, Floats]:
        """(items,) float64 of each measure; the same on every rank."""
        nats = np.zeros(self._groups)
        for held_out in self._held_out:
            nats += held_out.losses(trainee)[0].numpy()
        return {name: measure.scores(nats[self._slices[name]]) for name, measure in self._measures.items()}


def _by_length(passages: Sequence[Passage], longest: int, layout: Layout) -> dict[int, list[Passage]]:
    """Passages by the positions of their rows: powers of two, and `longest`."""
    pieces = (2 * layout.context if layout.context > 1 else 1) * (layout.tensor if layout.sequence_parallel else 1)
    found: dict[int, list[Passage]] = {}
    for passage in passages:
        length = _SHORTEST
        while length < len(passage.tokens) - 1:
            length *= 2
        found.setdefault(min(_over(length, pieces) * pieces, longest), []).append(passage)
    return dict(sorted(found.items()))


def _over(number: int, divisor: int) -> int:
    """number / divisor, rounded up."""
    return -(-number // divisor)
