"""Rotary position embedding on both halves of a head, without building the rotated copy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


def scaled_frequencies(
    frequencies: Tensor, factor: float, low_factor: float, high_factor: float, original_context: int
) -> Tensor:
    """LLaMA 3's RoPE frequencies for contexts beyond `original_context` (transformers' rope type "llama3").

    Waves longer than original_context / low_factor are stretched by `factor`, those shorter than
    original_context / high_factor stay, and between the two the share of either changes linearly in the frequency.
    """
    turns = original_context * frequencies / (2 * math.pi)  # turns within the original context
    share = ((turns - low_factor) / (high_factor - low_factor)).clamp(0, 1)  # of the frequency that stays
    return (1 - share) * frequencies / factor + share * frequencies


class _Rotate(torch.autograd.Function):
    """A rotation; its gradient is the rotation by the negative angle."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _rotated(x, cos, sin)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _rotated(gradients[0], cos, -sin), None, None


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Rotates pairs (x[i], x[i + dim/2]) of each head.

    Args:
        x: (seq, batch, heads, dim).
        angles: (seq, 1, 1, dim), the second half of the last axis repeating the first, as megatron-core makes them.
    """
    half = angles[..., : angles.shape[-1] // 2]
    result: Tensor = _Rotate.apply(  # type: ignore[no-untyped-call]
        x, half.cos().to(x.dtype), half.sin().to(x.dtype)
    )
    return result


@dataclass(frozen=True)
class Rotation:
    """Angles that several tensors turn by, without gradients. cos, sin: (..., dim), sin negative in the first half."""

    cos: Tensor
    sin: Tensor

    def of(self, x: Tensor) -> Tensor:
        """See `rotate`; any shape that broadcasts with the angles'."""
        return torch.addcmul(x * self.cos, x.roll(x.shape[-1] // 2, -1), self.sin)


def rotation(angles: Tensor, dtype: torch.dtype) -> Rotation:
    """Args: angles: (..., dim), as in `rotate`."""
    sin = angles.sin()
    sin[..., : angles.shape[-1] // 2].neg_()
    return Rotation(angles.cos().to(dtype), sin.to(dtype))


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    low, high = out.chunk(2, -1)
    torch.mul(first, cos, out=low)
    low.addcmul_(second, sin, value=-1)
    torch.mul(second, cos, out=high)
    high.addcmul_(first, sin)
    return out
