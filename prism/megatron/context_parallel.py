"""Context parallelism: each rank holds two chunks of every sequence, one early and one late, so that all work alike.

A sequence is cut into 2 x ranks chunks; rank r holds chunks r and 2 x ranks - 1 - r, as megatron-core's RoPE expects.
Attention gathers keys and values; Mamba-2 trades positions for heads (see `prism.megatron.mamba_context`); losses are
gathered, so that a loss sees whole sequences.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from torch import Tensor


def ranks() -> int:
    return int(parallel_state.get_context_parallel_world_size())


def own_positions(length: int, size: int, rank: int) -> Tensor:
    """Positions that a rank holds, in its order: (length / size,). `length` is a multiple of 2 x size."""
    early, late = torch.arange(length).view(2 * size, -1)[[rank, 2 * size - 1 - rank]]
    return torch.cat([early, late])


def own_part(whole: Tensor, dim: int) -> Tensor:
    """This rank's positions of a tensor that all ranks hold."""
    if ranks() == 1:
        return whole
    positions = own_positions(whole.shape[dim], ranks(), int(parallel_state.get_context_parallel_rank()))
    return whole.index_select(dim, positions.to(whole.device))


def natural_order(size: int, length: int) -> Tensor:
    """Where each position of the sequence lies in the ranks' parts, put end to end: (length,)."""
    held = torch.cat([own_positions(length, size, rank) for rank in range(size)])
    return held.argsort()


def gather_sequence(part: Tensor, dim: int, *, shared_loss: bool = False) -> Tensor:
    """The whole sequence in its order, from every rank's positions.

    Args:
        shared_loss: all ranks go on to the same loss, so each gradient is there already; else the ranks' gradients of
            a position add up.
    """
    if ranks() == 1:
        return part
    whole: Tensor = _Gather.apply(part, dim, shared_loss)  # type: ignore[no-untyped-call]
    return whole


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor, dim: int, shared_loss: bool) -> Tensor:
        ctx.dim, ctx.shared_loss = dim, shared_loss
        parts = [torch.empty_like(part, memory_format=torch.contiguous_format) for _ in range(ranks())]
        dist.all_gather(parts, part.contiguous(), group=parallel_state.get_context_parallel_group())
        whole = torch.cat(parts, dim)
        return whole.index_select(dim, natural_order(ranks(), whole.shape[dim]).to(whole.device))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        gradient = gradients[0]
        if not ctx.shared_loss:
            gradient = gradient.contiguous()
            dist.all_reduce(gradient, group=parallel_state.get_context_parallel_group())
        return own_part(gradient, ctx.dim), None, None


def heads_for_positions(part: Tensor) -> Tensor:
    """All heads of this rank's positions -> this rank's heads of all positions, in order.

    Shapes: (own positions, batch, heads, width) -> (positions, batch, heads / ranks, width).
    """
    traded: Tensor = _Trade.apply(part, True)  # type: ignore[no-untyped-call]
    return traded


def positions_for_heads(whole: Tensor) -> Tensor:
    """The other way round."""
    traded: Tensor = _Trade.apply(whole, False)  # type: ignore[no-untyped-call]
    return traded


class _Trade(torch.autograd.Function):
    """Its gradient is the trade back."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, to_heads: bool) -> Tensor:
        ctx.to_heads = to_heads
        return _to_heads(tensor) if to_heads else _to_positions(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return (_to_positions(gradients[0]) if ctx.to_heads else _to_heads(gradients[0])), None


def _to_heads(part: Tensor) -> Tensor:
    whole = torch.cat(_all_to_all(list(part.chunk(ranks(), 2))))
    return whole.index_select(0, natural_order(ranks(), len(whole)).to(whole.device))


def _to_positions(whole: Tensor) -> Tensor:
    parts = [whole.index_select(0, own_positions(len(whole), ranks(), r).to(whole.device)) for r in range(ranks())]
    return torch.cat(_all_to_all(parts), 2)


def _all_to_all(parts: list[Tensor]) -> list[Tensor]:
    sent = torch.stack(parts)
    received = torch.empty_like(sent)
    dist.all_to_all_single(received, sent, group=parallel_state.get_context_parallel_group())
    return list(received)
