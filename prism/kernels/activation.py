"""SwiGLU with a backward pass that writes both halves of the gradient in place."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class _Swiglu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        gate, up = x.chunk(2, -1)
        return F.silu(gate).mul_(up)

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
    result: Tensor = _Swiglu.apply(x)  # type: ignore[no-untyped-call]
    return result


def squared_relu(x: Tensor) -> Tensor:
    """max(x, 0)^2."""
    return F.relu(x).square()
