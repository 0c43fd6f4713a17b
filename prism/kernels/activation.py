"""Activations of the MLPs, with backward passes that touch as little memory as can be."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from prism.kernels.blocks import row_blocks


class _Swiglu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return _gated(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        gradient = gradients[0]
        gate, up = x.chunk(2, -1)
        out = torch.empty_like(x)
        d_gate, d_up = out.chunk(2, -1)
        sigmoid = torch.sigmoid(gate)
        silu = gate * sigmoid
        torch.mul(gradient, silu, out=d_up)
        # d silu / d gate = sigmoid + silu (1 - sigmoid)
        slope = torch.addcmul(sigmoid, silu, 1 - sigmoid)
        torch.mul(gradient, up, out=d_gate).mul_(slope)
        return out


def swiglu(x: Tensor) -> Tensor:
    """silu(first half) x second half of the last axis: (..., 2 x width) -> (..., width)."""
    if not torch.is_grad_enabled():
        return _gated(x)
    result: Tensor = _Swiglu.apply(x)  # type: ignore[no-untyped-call]
    return result


class _SquaredRelu(torch.autograd.Function):
    """Keeps x alone, and goes to memory once a tensor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return _squared(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        rows, gradient = (tensor.reshape(-1, x.shape[-1]) for tensor in (x, gradients[0]))
        out = torch.empty_like(rows)
        for block in row_blocks(rows):
            torch.clamp(rows[block], min=0, out=out[block])
            out[block].mul_(gradient[block]).mul_(2)
        return out.view_as(x)


def squared_relu(x: Tensor) -> Tensor:
    """max(x, 0)^2."""
    if not torch.is_grad_enabled():
        return _squared(x)
    result: Tensor = _SquaredRelu.apply(x)  # type: ignore[no-untyped-call]
    return result


def _gated(x: Tensor) -> Tensor:
    gate, up = x.chunk(2, -1)
    return F.silu(gate).mul_(up)


def _squared(x: Tensor) -> Tensor:
    rows = x.reshape(-1, x.shape[-1])
    out = torch.empty_like(rows)
    for block in row_blocks(rows):
        torch.clamp(rows[block], min=0, out=out[block])
        out[block].square_()
    return out.view_as(x)
