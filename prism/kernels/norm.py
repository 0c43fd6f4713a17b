"""RMSNorm, and the gated one at the end of a Mamba-2 mixer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from prism.kernels.blocks import in_cache, row_blocks


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """x / sqrt(mean square of the last axis + epsilon) * weight.

    On a GPU torch has one kernel for it; on a CPU it would go to memory at every step, and here goes block by block.

    Args:
        x: (..., width).
        weight: (width,).
    """
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64):
        return F.rms_norm(x, weight.shape, weight, epsilon)
    if not torch.is_grad_enabled():
        fits = in_cache(x)
        return F.rms_norm(x, weight.shape, weight, epsilon) if fits else _normed(x, weight, epsilon)[0]
    result: Tensor = _Norm.apply(x, weight, epsilon)  # type: ignore[no-untyped-call]
    return result


def _normed(x: Tensor, weight: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """The result, and each row's scale (rows, 1)."""
    rows = x.reshape(-1, x.shape[-1])
    out, scale = torch.empty_like(rows), rows.new_empty(len(rows), 1)
    for block in row_blocks(rows):
        torch.linalg.vector_norm(rows[block], dim=-1, keepdim=True, out=scale[block])
        scale[block].square_().div_(rows.shape[-1]).add_(epsilon).rsqrt_()
        torch.mul(rows[block], scale[block], out=out[block]).mul_(weight)
    return out.view_as(x), scale


class _Norm(torch.autograd.Function):
    """Keeps x and a number a row."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        out, scale = _normed(x, weight, epsilon)
        ctx.save_for_backward(x, weight, scale)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, scale = ctx.saved_tensors
        rows, gradient = (tensor.reshape(-1, x.shape[-1]) for tensor in (x, gradients[0]))
        d_x, d_weight = torch.empty_like(rows), torch.zeros_like(weight)
        for block in row_blocks(rows):
            normed = rows[block] * scale[block]
            products = gradient[block] * normed
            d_weight += products.sum(0)
            along = (products @ weight)[:, None].div_(-rows.shape[-1])  # the part that is lost to the norm
            torch.mul(gradient[block], weight, out=d_x[block]).addcmul_(normed, along).mul_(scale[block])
        return d_x.view_as(x), d_weight, None


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
    if average is None and not torch.is_grad_enabled():
        return _gated_normed(x, gate, weight, groups, epsilon)[0]
    if average is None:
        result: Tensor = _GatedNorm.apply(x, gate, weight, groups, epsilon)  # type: ignore[no-untyped-call]
        return result
    wide = torch.promote_types(x.dtype, torch.float32)
    gated = (x.to(wide) * F.silu(gate.to(wide))).unflatten(-1, (groups, -1))
    normed = gated * torch.rsqrt(average(gated.square().mean(-1, keepdim=True)) + epsilon)
    out: Tensor = (normed.flatten(-2) * weight.to(wide)).to(x.dtype)
    return out


def _gated_normed(
    x: Tensor, gate: Tensor, weight: Tensor, groups: int, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The result, and before the weight is applied (..., groups, width of a group), and each group's scale."""
    wide = torch.promote_types(x.dtype, torch.float32)
    normed = F.silu(gate.to(wide)).mul_(x).unflatten(-1, (groups, -1))
    scale = torch.linalg.vector_norm(normed, dim=-1, keepdim=True).square_().div_(normed.shape[-1])
    scale.add_(epsilon).rsqrt_()
    normed.mul_(scale)
    out: Tensor = (normed.flatten(-2) * weight.to(wide)).to(x.dtype)
    return out, normed, scale


class _GatedNorm(torch.autograd.Function):
    """Written out by hand: it keeps one tensor of its own, and most steps work in place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gate: Tensor, weight: Tensor, groups: int, epsilon: float) -> Tensor:
        out, normed, scale = _gated_normed(x, gate, weight, groups, epsilon)
        ctx.save_for_backward(x, gate, weight, normed, scale)
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
