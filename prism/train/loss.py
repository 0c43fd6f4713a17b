"""Next-token loss, overall and by source."""

from __future__ import annotations

import torch
from torch import Tensor

from prism.megatron.blend import SourceBatch

REPORT = ("loss_sum", "tokens")


class NextTokenLoss:
    """Mean negative log-probability of the labels; reports sums by source, each a vector of `sources` entries."""

    def __init__(self, sources: int) -> None:
        self._sources = sources

    def __call__(self, token_losses: Tensor, batch: SourceBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """token_losses: (sequences, length). Source of the formula: mean cross entropy in nats."""
        token_losses = token_losses.float()
        by_sequence = token_losses.detach().double().sum(1)
        zeros = torch.zeros(self._sources, dtype=torch.float64, device=token_losses.device)
        length = float(token_losses.shape[1])
        sums = {
            "loss_sum": zeros.index_add(0, batch.sources, by_sequence),
            "tokens": zeros.index_add(0, batch.sources, torch.full_like(by_sequence, length)),
        }
        return token_losses.mean(), sums
