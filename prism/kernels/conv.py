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
    if initial_state is None:
        padded = F.pad(x, (0, 0, reach, 0))
    else:
        padded = torch.cat([initial_state.to(x.dtype).mT, x], 1)
    same = None
    if seq_idx is not None:
        before = seq_idx[:, :1].expand(-1, reach)
        # (kernel, batch, seq, 1): whether tap j of each position lies in its own document
        windows = torch.cat([before, seq_idx], 1).unfold(1, reach + 1, 1)
        same = (windows == seq_idx[..., None]).permute(2, 0, 1)[..., None].to(x.dtype)
    result: Tensor = _ShiftedSum.apply(padded, weight.to(x.dtype), bias.to(x.dtype), same)  # type: ignore[no-untyped-call]
    return result


def conv_state(x: Tensor, kernel: int) -> Tensor:
    """The last kernel - 1 inputs, zeros where x is shorter: (batch, seq, channels) -> (batch, channels, kernel - 1)."""
    reach = kernel - 1
    return F.pad(x, (0, 0, max(0, reach - x.shape[1]), 0))[:, -reach:].mT


class _ShiftedSum(torch.autograd.Function):
    """`padded` is (batch, kernel - 1 + seq, channels); `same` is (kernel, batch, seq, 1) or None."""

    @staticmethod
    def forward(ctx: Any, padded: Tensor, weight: Tensor, bias: Tensor, same: Tensor | None) -> Tensor:
        kernel = weight.shape[1]
        length = padded.shape[1] - kernel + 1
        rows = weight.t().contiguous()
        linear = torch.addcmul(bias, padded[:, kernel - 1 :], rows[-1])
        for tap in range(kernel - 1):
            shifted = padded[:, tap : tap + length]
            linear.addcmul_(shifted if same is None else shifted * same[tap], rows[tap])
        ctx.save_for_backward(padded, rows, linear, same)
        return F.silu(linear)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        padded, rows, linear, same = ctx.saved_tensors
        kernel, length = rows.shape[0], linear.shape[1]
        d_linear = torch.ops.aten.silu_backward(grad, linear)
        d_padded = torch.zeros_like(padded)
        d_weight = torch.empty_like(rows)
        products = torch.empty_like(d_linear)
        for tap in range(kernel):
            window = slice(tap, tap + length)
            seen = d_linear if same is None or tap == kernel - 1 else d_linear * same[tap]
            d_padded[:, window].addcmul_(seen, rows[tap])
            d_weight[tap] = torch.mul(padded[:, window], seen, out=products).sum((0, 1))
        return d_padded, d_weight.t(), d_linear.sum((0, 1)), None
