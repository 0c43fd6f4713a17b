"""The gated RMSNorm at the end of a Mamba-2 mixer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    if average is None:
        result: Tensor = _GatedNorm.apply(x, gate, weight, groups, epsilon)  # type: ignore[no-untyped-call]
        return result
    wide = torch.promote_types(x.dtype, torch.float32)
    gated = (x.to(wide) * F.silu(gate.to(wide))).unflatten(-1, (groups, -1))
    normed = gated * torch.rsqrt(average(gated.square().mean(-1, keepdim=True)) + epsilon)
    out: Tensor = (normed.flatten(-2) * weight.to(wide)).to(x.dtype)
    return out


class _GatedNorm(torch.autograd.Function):
    """Written out by hand: it keeps one tensor of its own, and most steps work in place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gate: Tensor, weight: Tensor, groups: int, epsilon: float) -> Tensor:
        wide = torch.promote_types(x.dtype, torch.float32)
        normed = F.silu(gate.to(wide)).mul_(x).unflatten(-1, (groups, -1))
        scale = torch.linalg.vector_norm(normed, dim=-1, keepdim=True).square_().div_(normed.shape[-1])
        scale.add_(epsilon).rsqrt_()
        normed.mul_(scale)
        ctx.save_for_backward(x, gate, weight, normed, scale)
        out: Tensor = (normed.flatten(-2) * weight.to(wide)).to(x.dtype)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        x, gate, weight, normed, scale = ctx.saved_tensors
        grad, wide_gate = gradients[0].to(normed.dtype), gate.to(normed.dtype)
        weighted = grad.unflatten(-1, (normed.shape[-2], -1)) * normed
        d_weight = weighted.flatten(-2).flatten(0, -2).sum(0)
        # The part along the normed vector is lost to the norm.
        along = torch.einsum("...gn,gn->...g", weighted, weight.to(grad.dtype).view(normed.shape[-2:]))[..., None]
        along /= normed.shape[-1]
        inner = torch.mul(grad, weight, out=weighted.flatten(-2)).view_as(normed)
        d_gated = inner.addcmul_(normed, along, value=-1).mul_(scale).flatten(-2)
        d_x = F.silu(wide_gate).mul_(d_gated)
        d_gate = torch.ops.aten.silu_backward(d_gated.mul_(x), wide_gate)
        return d_x.to(x.dtype), d_gate.to(gate.dtype), d_weight.to(weight.dtype), None, None
