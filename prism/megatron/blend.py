"""Micro batches of a locked blend, each data-parallel rank its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from data_prep.api import Sample, TrainingRow
from prism.megatron.backend import backend
from prism.megatron.parallel import data_parallel_rank, data_parallel_size, sum_over_data_parallel


class Samples(Protocol):
    """Samples of a run by number."""

    @property
    def names(self) -> tuple[str, ...]: ...
    def __getitem__(self, sample: int) -> Sample[TrainingRow]: ...


@dataclass(frozen=True)
class SourceBatch:
    """A micro batch. tokens, labels: (sequences, length) int64; sources: (sequences,), index into the blend.

    mask: (sequences, length), 1 where the label counts in the loss; None where all do.
    labels_a_batch: labels that count, in the whole global batch over its number of micro batches; as if one counted
        where none does.
    ends: of a micro batch of one sequence, where its documents end, which then don't see each other.
    """

    tokens: Tensor
    labels: Tensor
    sources: Tensor
    mask: Tensor | None
    labels_a_batch: float
    ends: Sequence[int] | None

    @classmethod
    def whole(cls, tokens: Tensor, labels: Tensor, sources: Tensor) -> SourceBatch:
        """A global batch of one micro batch in which every label counts and all of a sequence sees what is before."""
        return cls(tokens, labels, sources, None, float(labels.numel()), None)


class BlendedBatches:
    """Global batches in the order that blend and seed fix; the position is the whole state."""

    def __init__(self, samples: Samples, micro_batch_size: int, global_batch_size: int) -> None:
        self.names = samples.names
        self._samples = samples
        self._micro = micro_batch_size
        self._global = global_batch_size

    def global_batch(self, step: int) -> list[SourceBatch]:
        """This rank's micro batches of global batch `step` (from 0)."""
        start, replicas = step * self._global, data_parallel_size()
        firsts = range(start + data_parallel_rank() * self._micro, start + self._global, self._micro * replicas)
        batches = [[self._samples[first + row] for row in range(self._micro)] for first in firsts]
        counted = float(sum(sample.item.labels_that_count for batch in batches for sample in batch))
        if batches[0][0].item.mask is None:
            total = counted * replicas  # every label of every rank counts: nothing to ask for
        else:
            total = float(sum_over_data_parallel(torch.tensor(counted, dtype=torch.float64, device=backend().device)))
        labels = max(1.0, total)  # documents of one token have no label: such a batch has a loss of 0, not NaN
        return [_collate(batch, labels * self._micro / self._global) for batch in batches]


def _collate(samples: Sequence[Sample[TrainingRow]], labels_a_batch: float) -> SourceBatch:
    device = backend().device
    rows = [sample.item for sample in samples]
    masks = [row.mask for row in rows]
    return SourceBatch(
        tokens=torch.stack([torch.from_numpy(row.tokens) for row in rows]).to(device),
        labels=torch.stack([torch.from_numpy(row.labels) for row in rows]).to(device),
        sources=torch.tensor([sample.source for sample in samples], device=device),
        mask=None if masks[0] is None else torch.stack([torch.from_numpy(mask) for mask in masks]).to(device),
        labels_a_batch=labels_a_batch,
        ends=None if rows[0].ends is None else rows[0].ends.tolist(),
    )
