"""Group-relative advantages of GRPO (paper section 9)."""

from __future__ import annotations

import torch
from torch import Tensor


def group_advantages(rewards: Tensor, epsilon: float) -> Tensor:
    """A_i = (r_i - mean r) / (std r + epsilon) within each group.

    Args:
        rewards: (prompts, responses), any float type.
        epsilon: keeps the division finite; the paper's eta.

    Returns:
        The same shape. A group whose rewards are all equal has advantage zero: it teaches nothing.
    """
    centred = rewards - rewards.mean(1, keepdim=True)
    deviation = rewards.std(1, keepdim=True)
    equal = (rewards == rewards[:, :1]).all(1, keepdim=True)
    return torch.where(equal, torch.zeros_like(rewards), centred / (deviation + epsilon))


def live_groups(rewards: Tensor) -> float:
    """Share of groups whose rewards differ: (prompts, responses) -> 0..1."""
    return float((rewards != rewards[:, :1]).any(1).float().mean())
