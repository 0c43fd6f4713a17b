"""Micro batches of a locked blend, each data-parallel rank its own, read one step ahead."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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
    def __len__(self) -> int: ...
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


_Rows = list[list[Sample[TrainingRow]]]
"""This rank's samples of a global batch, micro batch by micro batch."""


class BlendedBatches:
    """Global batches in the order that blend and seed fix; the position is the whole state.

    While a step runs, a thread reads the samples of the next one.
    """

    def __init__(self, samples: Samples, micro_batch_size: int, global_batch_size: int) -> None:
        self.names = samples.names
        self._samples = samples
        self._micro = micro_batch_size
        self._global = global_batch_size
        self._first = data_parallel_rank() * micro_batch_size
        self._stride = data_parallel_size() * micro_batch_size
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="samples")
        self._ahead: tuple[int, Future[_Rows]] | None = None

    def global_batch(self, step: int) -> list[SourceBatch]:
        """This rank's micro batches of global batch `step` (from 0)."""
        batches = self._take(step)
        replicas = data_parallel_size()
        counted = float(sum(sample.item.labels_that_count for batch in batches for sample in batch))
        if batches[0][0].item.mask is None:
            total = counted * replicas  # every label of every rank counts: nothing to ask for
        else:
            total = float(sum_over_data_parallel(torch.tensor(counted, dtype=torch.float64, device=backend().device)))
        labels = max(1.0, total)  # documents of one token have no label: such a batch has a loss of 0, not NaN
        return [_collate(batch, labels * self._micro / self._global) for batch in batches]

    def close(self) -> None:
        """Ends the thread; what it has read is dropped."""
        self._reader.shutdown(wait=True, cancel_futures=True)

    def _take(self, step: int) -> _Rows:
        ahead = self._ahead
        rows = ahead[1].result() if ahead is not None and ahead[0] == step else self._read(step)
        more = (step + 2) * self._global <= len(self._samples)
        self._ahead = (step + 1, self._reader.submit(self._read, step + 1)) if more else None
        return rows

    def _read(self, step: int) -> _Rows:
        start = step * self._global
        firsts = range(start + self._first, start + self._global, self._stride)
        return [[self._samples[first + row] for row in range(self._micro)] for first in firsts]


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
