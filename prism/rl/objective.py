"""GRPO over a micro batch, in the form that the engine's step wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from prism.rl.batch import RolloutBatch
from prism.rl.loss import grpo_token_loss

if TYPE_CHECKING:
    from prism.recipe import RlConfig

REPORT = ("loss", "kl", "tokens", "mismatch")


class GrpoObjective:
    """One update a step, so the policy at the start of the step is the policy in training: rho is 1 in value.

    Args:
        scale: micro batches x data-parallel ranks; undoes the engine's averaging, because `weights` already sum
            to one over the whole batch.
    """

    def __init__(self, config: RlConfig, scale: int) -> None:
        self._config = config
        self._scale = scale

    def __call__(self, token_losses: Tensor, batch: RolloutBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """token_losses: negative log-probabilities of the labels, (sequences, length)."""
        mask = batch.mask
        logprobs = -token_losses.float() * mask
        old = logprobs.detach()
        generated = batch.generator_logprobs * mask
        terms = grpo_token_loss(
            logprobs,
            old,
            generated,
            batch.reference_logprobs * mask,
            batch.advantages,
            clip_low=self._config.clip_low,
            clip_high=self._config.clip_high,
            importance_cap=self._config.importance_cap,
            kl_coefficient=self._config.kl_coefficient,
        )
        weighted = (terms.loss * mask * batch.weights).sum()
        sums = {
            "loss": weighted.detach(),
            "kl": (terms.kl * mask).sum(),
            "tokens": mask.sum(),
            "mismatch": ((old - generated).abs() * mask).sum(),
        }
        return weighted * self._scale, sums
