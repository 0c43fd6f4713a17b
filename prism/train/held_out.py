"""Likelihood of held-out text under the model in training, at any layout: for validation and the retention gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from prism.megatron.backend import backend
from prism.megatron.blend import SourceBatch
from prism.megatron.parallel import data_parallel_rank, data_parallel_size, sum_over_data_parallel
from prism.megatron.trainee import Trainee
from prism.train.loss import REPORT, NextTokenLoss


@dataclass(frozen=True)
class Passage:
    """Tokens of which the last `counted` are predicted from those before them.

    `group` is what its loss is added to: a document, an option of a question, a source. A passage has at least one
    token that isn't counted.
    """

    tokens: Sequence[int]
    counted: int
    group: int


class HeldOut:
    """Passages in micro batches of one shape, dealt out to the data-parallel ranks once.

    Args:
        groups: how many groups there are.
        length: positions of a row; a passage has at most one token more.
        micro_batch_size: rows of a micro batch.
    """

    def __init__(self, passages: Sequence[Passage], groups: int, length: int, micro_batch_size: int) -> None:
        self._loss = NextTokenLoss(groups)
        replicas, rank = data_parallel_size(), data_parallel_rank()
        at_once = micro_batch_size * replicas
        rounds = -(-len(passages) // at_once)
        empty = Passage([0, 0], 0, 0)
        dealt = [*passages, *[empty] * (rounds * at_once - len(passages))]
        self._batches = [
            _batch(dealt[(turn * replicas + rank) * micro_batch_size :][:micro_batch_size], length)
            for turn in range(rounds)
        ]

    def losses(self, trainee: Trainee) -> tuple[Tensor, Tensor]:
        """Nats and counted labels of every group: two float64 vectors on the CPU, the same on every rank."""
        sums = trainee.evaluate(self._batches, self._loss, REPORT)
        nats, labels = (sum_over_data_parallel(sums[name].clone()).cpu() for name in REPORT)
        return nats, labels


def _batch(passages: Sequence[Passage], length: int) -> SourceBatch:
    device = backend().device
    tokens = torch.zeros(len(passages), length, dtype=torch.long)
    labels, mask = torch.zeros_like(tokens), torch.zeros(len(passages), length, dtype=torch.bool)
    for row, passage in enumerate(passages):
        own = torch.tensor(passage.tokens, dtype=torch.long)
        last = len(own) - 1
        tokens[row, :last], labels[row, :last] = own[:-1], own[1:]
        mask[row, last - passage.counted : last] = True
    groups = torch.tensor([passage.group for passage in passages], device=device)
    return SourceBatch(tokens.to(device), labels.to(device), groups, mask.to(device), 1.0, None)
