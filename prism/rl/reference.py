"""The reference policy: a frozen copy that slowly follows the policy in training (TR-GRPO's soft update)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def soft_update(reference: Sequence[Tensor], policy: Sequence[Tensor], rate: float) -> None:
    """theta_ref <- rate x theta + (1 - rate) x theta_ref, in place. Sequences hold the same shapes in order."""
    with torch.no_grad():
        for old, new in zip(reference, policy, strict=True):
            old.lerp_(new.to(old.dtype), rate)
