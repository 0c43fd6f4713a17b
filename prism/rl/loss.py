"""The GRPO loss with truncated importance sampling (paper section 9; figures in Table 21)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class GrpoTerms:
    """Per token, all of the input's shape. `loss` is what is minimised; the others are for metrics, detached."""

    loss: Tensor
    kl: Tensor
    importance: Tensor


def grpo_token_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    generator_logprobs: Tensor,
    reference_logprobs: Tensor,
    advantages: Tensor,
    *,
    clip_low: float,
    clip_high: float,
    importance_cap: float,
    kl_coefficient: float,
) -> GrpoTerms:
    """-(min(pi_old/pi_gen, C) min(rho A, clip(rho, 1-low, 1+high) A) - beta KL(pi || pi_ref)), rho = pi/pi_old.

    Args:
        logprobs: of the response tokens under the policy in training; carries the gradient.
        old_logprobs: under the trainer's policy at the start of the step.
        generator_logprobs: as the generator gave them; differs from `old` by its arithmetic.
        reference_logprobs: under the reference policy.
        advantages: broadcast to the tokens' shape.

    KL is the non-negative, unbiased estimate exp(d) - d - 1 with d = log pi_ref - log pi.
    """
    ratio = torch.exp(logprobs - old_logprobs)
    clipped = ratio.clamp(1 - clip_low, 1 + clip_high)
    surrogate = torch.minimum(ratio * advantages, clipped * advantages)
    importance = torch.exp(old_logprobs - generator_logprobs).clamp(max=importance_cap)
    difference = reference_logprobs - logprobs
    kl = torch.exp(difference) - difference - 1
    loss = kl_coefficient * kl - importance * surrogate
    return GrpoTerms(loss=loss, kl=kl.detach(), importance=importance)


def token_weights(response_lengths: Tensor, group_size: int) -> Tensor:
    """Weight of each token of every response, so that the weighted sum averages over ALL tokens of each group.

    Args:
        response_lengths: (prompts x group_size,), groups contiguous.

    Returns:
        (prompts x group_size,): 1 / (prompts x tokens of the response's group).
    """
    by_group = response_lengths.double().view(-1, group_size)
    per_group = 1.0 / (by_group.sum(1, keepdim=True) * by_group.shape[0])
    return per_group.expand_as(by_group).reshape(-1)
