"""Depthwise causal convolution with SiLU, as sums of shifted copies: on a CPU faster than F.conv1d."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def causal_conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    *,
    initial_state: Tensor | None = None,
    seq_idx: Tensor | None = None,
) -> Tensor:
    """silu(bias + sum over j of weight[:, j] x[t - kernel + 1 + j]).

    Args:
        x: (batch, seq, channels).
        weight: (channels, kernel).
        bias: (channels,).
        initial_state: the inputs before the first position, (batch, channels, kernel - 1); zeros by default.
        seq_idx: document number of each position, (batch, seq); other documents are not seen.

    Returns:
        (batch, seq, channels), contiguous.
    """
    reach = weight.shape[1] - 1
    if initial_state is not None:  # ahead of the sequence, and what comes out there is dropped
        x = torch.cat([initial_state.to(x.dtype).mT, x], 1)
        seq_idx = None if seq_idx is None else torch.cat([seq_idx[:, :1].expand(-1, reach), seq_idx], 1)
    same = None
    if seq_idx is not None:
        # one of (batch, seq - shift, 1) for each shift: whether the position lies in the document of the one before
        same = tuple(
            (seq_idx[:, shift:] == seq_idx[:, : x.shape[1] - shift])[..., None].to(x.dtype)
            for shift in range(1, min(reach, x.shape[1] - 1) + 1)
        )
    result: Tensor = _ShiftedSum.apply(x, weight.to(x.dtype), bias.to(x.dtype), same)  # type: ignore[no-untyped-call]
    return result if initial_state is None else result[:, reach:].contiguous()


def conv_state(x: Tensor, kernel: int, lengths: Tensor | None = None) -> Tensor:
    """The last kernel - 1 inputs, zeros where x is shorter: (batch, seq, channels) -> (batch, channels, kernel - 1).

    Args: lengths: where each row ends, (batch,); by default at seq.
    """
    reach = kernel - 1
    padded = F.pad(x, (0, 0, reach, 0))
    if lengths is None:
        return padded[:, -reach:].mT
    places = lengths[:, None] + torch.arange(reach, device=x.device)
    return padded.gather(1, places[..., None].expand(-1, -1, x.shape[2])).mT


class _ShiftedSum(torch.autograd.Function):
    """`x` is (batch, seq, channels); `same`, one of (batch, seq - shift, 1) for each shift from 1 on, or None."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, same: tuple[Tensor, ...] | None) -> Tensor:
        rows = weight.t().contiguous()
        linear = torch.addcmul(bias, x, rows[-1])
        for shift in _shifts(x, rows):
            earlier = x[:, :-shift] if same is None else x[:, :-shift] * same[shift - 1]
            linear[:, shift:].addcmul_(earlier, rows[-1 - shift])
        ctx.save_for_backward(x, rows, linear)
        ctx.same = same
        return F.silu(linear)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, rows, linear = ctx.saved_tensors
        d_linear = torch.ops.aten.silu_backward(grad, linear)
        d_x = d_linear * rows[-1]
        d_weight = torch.zeros_like(rows)
        products = x * d_linear
        d_weight[-1] = products.sum((0, 1))
        for shift in _shifts(x, rows):
            later = d_linear[:, shift:] if ctx.same is None else d_linear[:, shift:] * ctx.same[shift - 1]
            d_x[:, :-shift].addcmul_(later, rows[-1 - shift])
            d_weight[-1 - shift] = torch.mul(x[:, :-shift], later, out=products[:, shift:]).sum((0, 1))
        return d_x, d_weight.t(), d_linear.sum((0, 1)), None


def _shifts(x: Tensor, rows: Tensor) -> range:
    return range(1, min(rows.shape[0], x.shape[1]))
