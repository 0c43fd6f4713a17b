"""GRPO over a micro batch, in the form that the engine's step wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from prism.rl.batch import RolloutBatch
from prism.rl.loss import (
    KL_ESTIMATORS,
    clipped_surrogate,
    is_clipped,
    is_truncated,
    probability_ratio,
    token_loss,
    truncated_importance,
)

if TYPE_CHECKING:
    from prism.recipe import RlConfig

REPORT = ("loss", "tokens", "kl", "entropy", "mismatch", "importance", "truncated", "clipped")


class GrpoObjective:
    """The loss of a micro batch, in float64, and sums over its response tokens to report.

    Args:
        scale: the rank's micro batches x data-parallel ranks; undoes the engine's averaging, because the tokens'
            weights already sum to one over the whole update.
    """

    def __init__(self, config: RlConfig, scale: int) -> None:
        self._config = config
        self._scale = scale
        self._kl = KL_ESTIMATORS[config.kl_estimator]

    def __call__(self, token_losses: Tensor, batch: RolloutBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """token_losses: negative log-probabilities of the labels, (sequences, length)."""
        config, mask = self._config, batch.mask
        logprobs = -token_losses.double() * mask  # what isn't a response counts as certain, for everybody
        old = logprobs.detach() if batch.old_logprobs is None else batch.old_logprobs * mask
        generated = batch.generator_logprobs * mask
        reference = old if batch.reference_logprobs is None else batch.reference_logprobs * mask
        ratio = probability_ratio(logprobs, old)
        surrogate = clipped_surrogate(ratio, batch.advantages, config.clip_low, config.clip_high)
        importance = truncated_importance(old, generated, config.importance_cap)
        kl = self._kl(logprobs, reference)
        loss = token_loss(surrogate, importance, kl, config.kl_coefficient)
        weighted = (loss * mask * batch.weights).sum()
        counted = mask * (batch.weights > 0)
        sums = {
            "loss": weighted.detach(),
            "tokens": counted.sum(),
            "kl": (kl.detach() * counted).sum(),
            "entropy": (-logprobs.detach() * counted).sum(),
            "mismatch": ((old - generated).abs() * counted).sum(),
            "importance": (importance * counted).sum(),
            "truncated": (is_truncated(old, generated, config.importance_cap) * counted).sum(),
            "clipped": (
                is_clipped(ratio.detach(), batch.advantages, config.clip_low, config.clip_high) * counted
            ).sum(),
        }
        return weighted * self._scale, sums
