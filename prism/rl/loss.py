"""The terms of the GRPO loss, one function each (paper section 9):

    loss = - w_t ( min(pi_old / pi_gen, C)  min(rho A, clip(rho, 1 - low, 1 + high) A)  -  beta KL(pi || pi_ref) )

with rho = pi / pi_old, summed over the response tokens t of a batch. All take and give tensors of one shape, a number a
token; logarithms of probabilities are natural.

pi: the policy in training; carries the gradient.
pi_old: the trainer's policy when the responses were sampled.
pi_gen: the same weights, as the generator computed them.
pi_ref: the reference.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def probability_ratio(logprobs: Tensor, old_logprobs: Tensor) -> Tensor:
    """rho."""
    return torch.exp(logprobs - old_logprobs)


def clipped_surrogate(ratio: Tensor, advantages: Tensor, low: float, high: float) -> Tensor:
    """min(rho A, clip(rho, 1 - low, 1 + high) A)."""
    return torch.minimum(ratio * advantages, ratio.clamp(1 - low, 1 + high) * advantages)


def is_clipped(ratio: Tensor, advantages: Tensor, low: float, high: float) -> Tensor:
    """Where the clip takes the gradient away."""
    return torch.where(advantages > 0, ratio > 1 + high, (advantages < 0) & (ratio < 1 - low))


def truncated_importance(old_logprobs: Tensor, generator_logprobs: Tensor, cap: float | None) -> Tensor:
    """min(pi_old / pi_gen, C), against the difference between trainer and generator; ones without a cap."""
    if cap is None:
        return torch.ones_like(old_logprobs)
    return torch.exp(old_logprobs - generator_logprobs).clamp(max=cap)


def is_truncated(old_logprobs: Tensor, generator_logprobs: Tensor, cap: float | None) -> Tensor:
    """Where the cap cuts the ratio."""
    if cap is None:
        return torch.zeros_like(old_logprobs, dtype=torch.bool)
    return torch.exp(old_logprobs - generator_logprobs) > cap


def kl_k1(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    """log pi - log pi_ref: unbiased, but its gradient says nothing of the KL (it is zero in expectation)."""
    return logprobs - reference_logprobs


def kl_k2(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    """(log pi - log pi_ref)^2 / 2: biased, never negative; its gradient is the KL's."""
    return (logprobs - reference_logprobs).square() / 2


def kl_k3(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    """pi_ref / pi - 1 - log(pi_ref / pi): unbiased and never negative; GRPO's own."""
    difference = reference_logprobs - logprobs
    return torch.exp(difference) - difference - 1


KL_ESTIMATORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"k1": kl_k1, "k2": kl_k2, "k3": kl_k3}
"""By the names of J. Schulman, "Approximating KL Divergence" (2020)."""


def token_loss(surrogate: Tensor, importance: Tensor, kl: Tensor, kl_coefficient: float) -> Tensor:
    """What is minimised, before the tokens' weights."""
    return kl_coefficient * kl - importance * surrogate


def token_weights(lengths: Tensor, group_size: int, normalisation: str) -> Tensor:
    """The weight w of every token of each response; over all tokens of the batch they sum to one.

    Args:
        lengths: response tokens, (groups x group_size,), groups contiguous: those of the whole update, over all ranks.
        normalisation: "batch": 1 / all tokens. "group": 1 / (groups x tokens of the group). "response":
            1 / (responses x tokens of the response).

    Returns:
        (groups x group_size,), float64.
    """
    sizes = lengths.double()
    if normalisation == "batch":
        return torch.full_like(sizes, 1.0 / float(sizes.sum()))
    if normalisation == "group":
        by_group = sizes.view(-1, group_size)
        return (1.0 / (by_group.sum(1, keepdim=True) * len(by_group))).expand_as(by_group).reshape(-1)
    return 1.0 / (sizes * len(sizes))
