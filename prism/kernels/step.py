"""One token of a Mamba-2 mixer in decoding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def conv_step(x: Tensor, weight: Tensor, bias: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """The next output of `prism.kernels.conv.causal_conv`, and the state after it.

    Shapes: x (batch, channels), weight (channels, kernel), bias (channels,), state (batch, channels, kernel - 1)
    -> (batch, channels), (batch, channels, kernel - 1).
    """
    window = torch.cat([state, x.to(state.dtype)[..., None]], -1)
    return F.silu((window * weight).sum(-1).add_(bias)).to(x.dtype), window[..., 1:]


def state_step(x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, state: Tensor) -> Tensor:
    """The next output of `prism.kernels.ssd.ssd_scan`; `state` moves on by one token.

    Shapes: x (batch, heads, head_dim), dt after softplus (batch, heads), A and D (heads,), B and C
    (batch, groups, state size), state (batch, heads, head_dim, state size) -> (batch, heads, head_dim).
    """
    batch, heads, dim = x.shape
    groups, size = B.shape[1:]
    wide = state.dtype
    xs, dts = x.to(wide), dt.to(wide)
    state.mul_((dts * A.to(wide)).exp()[..., None, None])
    # (batch x groups, heads of the group x head_dim, state size), a view
    grouped = state.view(batch * groups, -1, size)
    grouped.baddbmm_((xs * dts[..., None]).reshape(batch * groups, -1, 1), B.to(wide).reshape(-1, 1, size))
    y = torch.bmm(grouped, C.to(wide).reshape(-1, size, 1)).view(batch, heads, dim)
    return (y + xs * D.to(wide)[:, None]).to(x.dtype)
