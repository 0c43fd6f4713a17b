"""Megatron's blended dataset over the sources of a locked blend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from megatron.core.datasets.blended_megatron_dataset_builder import BlendedMegatronDatasetBuilder
from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
from torch import Tensor

from prism.megatron.backend import backend
from prism.megatron.parallel import data_parallel_rank, data_parallel_size


@dataclass(frozen=True)
class SourceShare:
    """One source of a blend: the prefix of its .bin/.idx and its weight (any unit, all sources alike)."""

    name: str
    prefix: Path
    weight: float


@dataclass(frozen=True)
class SourceBatch:
    """A micro batch. tokens, labels: (sequences, length) int64; sources: (sequences,), index into the blend."""

    tokens: Tensor
    labels: Tensor
    sources: Tensor


class _Vocabulary(Protocol):
    @property
    def end_of_document_id(self) -> int: ...
    @property
    def vocab_size(self) -> int: ...
    @property
    def sha256(self) -> str: ...


class _MegatronTokenizer:
    """The little that megatron-core's dataset asks of a tokenizer."""

    def __init__(self, vocabulary: _Vocabulary) -> None:
        self.eod = vocabulary.end_of_document_id
        self.pad = -1  # no token: the dataset overwrites every token that equals its pad
        self.vocab_size = vocabulary.vocab_size
        self.unique_identifiers = {"sha256": vocabulary.sha256}


class BlendedSamples:
    """Global batches in the order that blend, weights and seed fix; the position is the whole state.

    Args:
        samples: sequences that the run will use in all.
        cache: folder for megatron-core's index files, one to a stage.
    """

    def __init__(
        self,
        shares: Sequence[SourceShare],
        vocabulary: _Vocabulary,
        *,
        sequence_length: int,
        samples: int,
        seed: int,
        cache: Path,
    ) -> None:
        self.names = tuple(share.name for share in shares)
        total = sum(share.weight for share in shares)
        smallest = min(share.weight for share in shares) / total
        config = GPTDatasetConfig(
            random_seed=seed,
            sequence_length=sequence_length,
            blend_per_split=[([str(share.prefix) for share in shares], [share.weight for share in shares]), None, None],
            path_to_cache=str(cache),
            tokenizer=_MegatronTokenizer(vocabulary),
            reset_position_ids=False,
            reset_attention_mask=False,
            eod_mask_loss=False,
            create_attention_mask=False,
            # A source of small weight gets up to two samples more than its share: without the surplus it runs out.
            mid_level_dataset_surplus=max(0.005, 2 / max(1.0, samples * smallest)),
        )
        datasets = BlendedMegatronDatasetBuilder(GPTDataset, [samples, 0, 0], lambda: True, config).build()
        self._dataset: Any = datasets[0]

    def __len__(self) -> int:
        return len(self._dataset)

    def global_batch(self, step: int, micro_batch_size: int, global_batch_size: int) -> list[SourceBatch]:
        """This rank's micro batches of global batch `step` (from 0)."""
        replicas, rank = data_parallel_size(), data_parallel_rank()
        start = step * global_batch_size
        batches = []
        for first in range(start, start + global_batch_size, micro_batch_size * replicas):
            own = range(first + rank * micro_batch_size, first + (rank + 1) * micro_batch_size)
            batches.append(self._collate([self._dataset[index] for index in own]))
        return batches

    def _collate(self, rows: Sequence[dict[str, Any]]) -> SourceBatch:
        device = backend().device
        return SourceBatch(
            tokens=torch.stack([row["tokens"] for row in rows]).long().to(device),
            labels=torch.stack([row["labels"] for row in rows]).long().to(device),
            sources=torch.tensor([int(row.get("dataset_id", 0)) for row in rows], device=device),
        )
