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
        """token_losses: (sequences, length). Mean cross entropy in nats over the labels of the global batch that count.

        The engine averages over micro batches, so each is divided by the global batch's labels a micro batch: a label
        weighs the same in whichever micro batch it lies.
        """
        token_losses = token_losses.float()
        mask = torch.ones_like(token_losses) if batch.mask is None else batch.mask.to(token_losses)
        masked = token_losses * mask
        zeros = torch.zeros(self._sources, dtype=torch.float64, device=token_losses.device)
        sums = {
            "loss_sum": zeros.index_add(0, batch.sources, masked.detach().double().sum(1)),
            "tokens": zeros.index_add(0, batch.sources, mask.double().sum(1)),
        }
        return masked.sum() / batch.labels_a_batch, sums
