"""Next-token loss, overall and by source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from prism.megatron.blend import SourceBatch
from prism.megatron.parallel import sum_over_data_parallel

if TYPE_CHECKING:
    from prism.megatron.step import StepResult

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


def losses(result: StepResult, names: Sequence[str]) -> dict[str, Any]:
    """Loss overall and by source over the global batch; a source without a label that counts is left out.

    The sources' losses, weighted by `labels_by_source`, sum to the loss.
    """
    sums = sum_over_data_parallel(result.sums["loss_sum"].clone()).tolist()
    labels = sum_over_data_parallel(result.sums["tokens"].clone()).tolist()
    return loss_row(sums, labels, names)


def loss_row(nats: Sequence[float], labels: Sequence[float], names: Sequence[str]) -> dict[str, Any]:
    """The mean over all labels, and over each source's; with how many labels each has."""
    present = [(name, total, count) for name, total, count in zip(names, nats, labels, strict=True) if count]
    return {
        "loss": sum(nats) / max(1.0, sum(labels)),
        "loss_by_source": {name: total / count for name, total, count in present},
        "labels_by_source": {name: int(count) for name, _total, count in present},
    }
