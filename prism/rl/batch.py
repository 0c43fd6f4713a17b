"""Rollouts as padded micro batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from prism.megatron.backend import backend
from prism.rl.rollout import Rollout


@dataclass(frozen=True)
class RolloutBatch:
    """A micro batch of responses, padded on the right.

    tokens, labels, mask, generator_logprobs: (sequences, length); mask is 1 where the label is a response token.
    advantages, weights: (sequences, 1). reference_logprobs is filled in by the reference policy.
    """

    tokens: Tensor
    labels: Tensor
    mask: Tensor
    generator_logprobs: Tensor
    advantages: Tensor
    weights: Tensor
    reference_logprobs: Tensor

    @property
    def ends(self) -> None:
        """A response sees all of its own sequence."""


def collate(rollouts: Sequence[Rollout], advantages: Tensor, weights: Tensor) -> RolloutBatch:
    """Args: advantages and weights, one a rollout, (sequences,)."""
    length = max(len(rollout.prompt_tokens) + len(rollout.response.tokens) for rollout in rollouts) - 1
    count = len(rollouts)
    tokens = torch.zeros(count, length + 1, dtype=torch.long)
    mask = torch.zeros(count, length)
    logprobs = torch.zeros(count, length)
    for row, rollout in enumerate(rollouts):
        prompt, response = rollout.prompt_tokens, rollout.response
        end = len(prompt) + len(response.tokens)
        tokens[row, :end] = torch.tensor(prompt + response.tokens)
        mask[row, len(prompt) - 1 : end - 1] = 1
        logprobs[row, len(prompt) - 1 : end - 1] = torch.tensor(response.logprobs)
    device = backend().device
    return RolloutBatch(
        tokens=tokens[:, :-1].contiguous().to(device),
        labels=tokens[:, 1:].contiguous().to(device),
        mask=mask.to(device),
        generator_logprobs=logprobs.to(device),
        advantages=advantages.float()[:, None].to(device),
        weights=weights.float()[:, None].to(device),
        reference_logprobs=torch.zeros(count, length, device=device),
    )


def micro_batches(
    rollouts: Sequence[Rollout], advantages: Tensor, weights: Tensor, micro_batch_size: int
) -> list[RolloutBatch]:
    """Responses of similar length together, so that little is padded; advantages, weights: (rollouts,)."""
    order = sorted(
        range(len(rollouts)), key=lambda row: len(rollouts[row].prompt_tokens) + len(rollouts[row].response.tokens)
    )
    chunks = [order[start : start + micro_batch_size] for start in range(0, len(order), micro_batch_size)]
    return [collate([rollouts[row] for row in rows], advantages[rows], weights[rows]) for rows in chunks]
