"""Group-relative advantages of GRPO (paper section 9)."""

from __future__ import annotations

import torch
from torch import Tensor


def group_advantages(rewards: Tensor, epsilon: float) -> Tensor:
    """A_i = (r_i - mean r) / (std r + epsilon) within each group.

    Args:
        rewards: (groups, responses), any float type.
        epsilon: keeps the division finite; the paper's eta.

    Returns:
        The same shape. A group whose rewards are all equal has advantage zero: it teaches nothing.
    """
    centred = rewards - rewards.mean(1, keepdim=True)
    deviation = rewards.std(1, keepdim=True)
    return torch.where(has_variance(rewards)[:, None], centred / (deviation + epsilon), 0.0)


def has_variance(rewards: Tensor) -> Tensor:
    """Which groups teach something: their rewards differ. (groups, responses) -> (groups,), boolean."""
    return (rewards != rewards[:, :1]).any(1)
