"""The gated RMSNorm at the end of a Mamba-2 mixer."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def gated_rms_norm(
    x: Tensor,
    gate: Tensor,
    weight: Tensor,
    *,
    groups: int = 1,
    epsilon: float = 1e-5,
    average: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """RMSNorm(x * silu(gate)) * weight; the gate comes before the norm, the mean square is taken group by group.

    Args:
        x, gate: (..., width).
        weight: (width,).
        groups: equal parts of the width, each with a mean square of its own.
        average: where a group spans several ranks, averages the mean square (..., groups, 1) over them.

    Returns:
        (..., width) in x's dtype, computed in at least float32.
    """
    wide = torch.promote_types(x.dtype, torch.float32)
    gated = x.to(wide) * F.silu(gate.to(wide))
    gated = gated.reshape(*gated.shape[:-1], groups, -1)
    if average is None:
        normed = F.rms_norm(gated, gated.shape[-1:], eps=epsilon)
    else:
        normed = gated * torch.rsqrt(average(gated.square().mean(-1, keepdim=True)) + epsilon)
    return (normed.flatten(-2) * weight.to(wide)).to(x.dtype)
