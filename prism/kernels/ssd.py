"""The Mamba-2 state-space scan in chunks (Dao and Gu, 2024, "Transformers are SSMs", section 6), in plain torch.

Per head, with state h (state, head_dim):

    h[t] = exp(dt[t] A) h[t-1] + dt[t] B[t] x[t]^T        y[t] = C[t]^T h[t] + D x[t]

Inside a chunk this is masked attention with decays, between chunks a recurrence of states. Chunks are handled one after
the other, forwards and backwards, so that all that belongs to one stays in the cache. Decays are kept as logarithms to
base 2, because torch's exp2 is several times faster than exp on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_LOG2_E = math.log2(math.e)

_LONGEST_CHUNK = 64
"""More is slower: half of what a chunk computes lies above its diagonal, and it no longer fits the cache."""


def time_steps(raw: Tensor, bias: Tensor, keep: Tensor | None = None) -> Tensor:
    """Positive step sizes: softplus(raw + bias), zero where `keep` is False, so that pads leave no trace.

    Args:
        raw: (batch, seq, heads).
        bias: (heads,).
        keep: (batch, seq), True at tokens, False at pads.

    Returns:
        (batch, seq, heads), at least float32.
    """
    wide = torch.promote_types(raw.dtype, torch.float32)
    steps = F.softplus(raw.to(wide) + bias.to(wide))
    return steps if keep is None else steps * keep[..., None]


class Scanned(NamedTuple):
    """`y` (batch, seq, heads, head_dim) in x's dtype; `state` (batch, heads, head_dim, state), at least float32."""

    y: Tensor
    state: Tensor | None


def ssd_scan(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    *,
    chunk_size: int,
    initial_state: Tensor | None = None,
    seq_idx: Tensor | None = None,
    with_state: bool = False,
) -> Scanned:
    """Scans every sequence from left to right.

    Args:
        x: (batch, seq, heads, head_dim).
        dt: step sizes after softplus (see `time_steps`), (batch, seq, heads).
        A: negative decay rates, (heads,).
        B, C: (batch, seq, groups, state); consecutive heads share a group.
        D: skip weights, (heads,).
        chunk_size: positions handled at once, at most; changes speed and rounding only.
        initial_state: (batch, heads, head_dim, state); continues the document of the first position.
        seq_idx: document number of each position, (batch, seq), never falling; a new number starts from zero.
        with_state: compute the state after the last position too; without it `Scanned.state` is None.
    """
    batch, _, heads, dim = x.shape
    groups, state = B.shape[2:]
    wide = torch.promote_types(x.dtype, torch.float32)
    skip = torch.zeros(heads, dtype=wide, device=x.device) if D is None else D.to(wide)
    start = None
    if initial_state is not None:
        start = initial_state.to(wide).view(batch, groups, -1, dim, state).permute(0, 1, 4, 2, 3).flatten(-2)
    y, final = _Scan.apply(  # type: ignore[no-untyped-call]
        x.to(wide), dt.to(wide), A.to(wide), B.to(wide), C.to(wide), skip, start, seq_idx,
        min(chunk_size, _LONGEST_CHUNK), with_state,
    )  # fmt: skip
    if final is not None:
        final = final.view(batch, groups, state, -1, dim).permute(0, 1, 3, 4, 2).reshape(batch, heads, dim, state)
    return Scanned(y.to(x.dtype), final)


@dataclass(frozen=True)
class _Chunk:
    """A chunk's share of everything.

    part: its positions. documents: the number of each position's, (batch, size), and of the position before the chunk,
    (batch, 1). x: (batch, size, heads, head_dim). dt, log_decay (from the chunk's start): (batch, size, heads). b, c:
    (batch x groups, size, state). A state is (batch, groups, state, shared x head_dim).
    """

    part: slice
    x: Tensor
    dt: Tensor
    log_decay: Tensor
    b: Tensor
    c: Tensor
    documents: tuple[Tensor, Tensor] | None

    def decays(self) -> tuple[Tensor, Tensor]:
        """From position to position, and the same times C.B: (batch, heads, size, size) twice."""
        batch, size, heads = self.dt.shape
        by_head = self.log_decay.transpose(1, 2).contiguous()
        decay = (by_head[..., :, None] - by_head[..., None, :]).exp2_()
        if self.documents is not None:
            own, _before = self.documents
            decay.masked_fill_((own[:, :, None] != own[:, None, :])[:, None], 0.0)
        decay.tril_()  # also removes what overflowed above the diagonal
        affinity = (self.c @ self.b.mT).view(batch, -1, 1, size, size)
        mixed = (decay.view(batch, affinity.shape[1], -1, size, size) * affinity).view(batch, heads, size, size)
        return decay, mixed

    def reach(self) -> Tensor:
        """From the chunk's start to each position: (batch, size, heads, 1)."""
        reach = self.log_decay.exp2()
        if self.documents is not None:
            own, before = self.documents
            reach *= torch.eq(own, before)[..., None]
        return reach[..., None]

    def to_end(self) -> Tensor:
        """From each position to the chunk's end: (batch, size, heads, 1)."""
        to_end = (self.log_decay[:, -1:] - self.log_decay).exp2_()
        if self.documents is not None:
            own, _before = self.documents
            to_end *= torch.eq(own, own[:, -1:])[..., None]
        return to_end[..., None]

    def carried(self, state: Tensor) -> Tensor:
        """The state at the start, or its gradient at the end, decayed through the whole chunk."""
        whole = self.log_decay[:, -1].exp2()
        if self.documents is not None:
            own, before = self.documents
            whole *= torch.eq(before, own[:, -1:])
        batch, groups, rows, width = state.shape
        split = state.view(batch, groups, rows, whole.shape[1] // groups, -1)
        return (split * whole.view(batch, groups, 1, -1, 1)).view(batch, groups, rows, width)

    def scaled(self) -> Tensor:
        """x times dt."""
        return self.x * self.dt[..., None]

    def grouped(self, tensor: Tensor) -> Tensor:
        """(batch, size, heads, head_dim) -> (batch x groups, size, shared x head_dim)."""
        batch, size = tensor.shape[:2]
        return tensor.reshape(batch, size, len(self.b) // batch, -1).transpose(1, 2).reshape(len(self.b), size, -1)

    def ungrouped(self, tensor: Tensor) -> Tensor:
        """The way back."""
        batch, size = self.x.shape[:2]
        return tensor.view(batch, -1, size, tensor.shape[-1]).transpose(1, 2).reshape(self.x.shape)


def _chunks(
    x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, documents: Tensor | None, size: int
) -> Iterator[_Chunk]:
    rates = A * _LOG2_E
    for first in range(0, x.shape[1], size):
        part = slice(first, first + size)
        b, c = (tensor[:, part].transpose(1, 2).flatten(0, 1) for tensor in (B, C))
        log_decay = (dt[:, part] * rates).cumsum(1)
        seen = None if documents is None else (documents[:, part], documents[:, max(first - 1, 0), None])
        yield _Chunk(part, x[:, part], dt[:, part], log_decay, b, c, seen)


class _Scan(torch.autograd.Function):
    """Chunk by chunk; see the module.

    The gradients of logarithms of decays need no products of their own: what a position takes and gives through all of
    its decays together is (gradient of y) . y - (gradient of scaled x) . scaled x, the skip by D left out.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        dt: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        D: Tensor,
        start: Tensor | None,
        documents: Tensor | None,
        size: int,
        with_state: bool,
    ) -> tuple[Tensor, Tensor | None]:
        batch, length = x.shape[:2]
        y = torch.empty_like(x, memory_format=torch.contiguous_format)
        state, states, decays = start, [start], []
        for now in _chunks(x, dt, A, B, C, documents, size):
            scaled, out = now.scaled(), y[:, now.part]
            decay, mixed = now.decays()
            decays += [decay, mixed]
            out.copy_((mixed @ scaled.transpose(1, 2).contiguous()).transpose(1, 2))
            if state is not None:
                out.addcmul_(now.ungrouped(now.c @ state.flatten(0, 1)), now.reach())
            if with_state or now.part.stop < length:
                grown = (now.b.mT @ now.grouped(scaled.mul_(now.to_end()))).unflatten(0, (batch, -1))
                state = grown if state is None else grown.add_(now.carried(state))
                states.append(state)
            out.addcmul_(now.x, D[:, None])
        ctx.save_for_backward(x, dt, A, B, C, D, documents, y, *decays, *states)
        ctx.size = size
        return y, state.clone() if with_state and state is not None else None

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        x, dt, A, B, C, D, documents, y, *rest = ctx.saved_tensors
        chunks = list(_chunks(x, dt, A, B, C, documents, ctx.size))
        decays, states = rest[: 2 * len(chunks)], rest[2 * len(chunks) :]
        batch, groups = x.shape[0], B.shape[2]
        d_y, d_state = gradients
        d_y = torch.zeros_like(y) if d_y is None else d_y
        d_x, d_dt, d_B, d_C = (torch.empty_like(tensor) for tensor in (y, dt, B, C))
        d_A, d_D = torch.zeros_like(A), torch.zeros_like(D)
        for index, now in reversed(list(enumerate(chunks))):
            start, d_out = states[index], d_y[:, now.part]
            decay, mixed = decays[2 * index : 2 * index + 2]
            scaled, by_head = now.scaled(), d_out.transpose(1, 2).contiguous()
            d_scaled = (mixed.mT @ by_head).transpose(1, 2)
            d_affinity = (by_head @ scaled.transpose(1, 2).contiguous().mT).mul_(decay)
            d_affinity = d_affinity.unflatten(1, (groups, -1)).sum(2).flatten(0, 1)
            d_b, d_c = d_affinity.mT @ now.c, d_affinity @ now.b
            if d_state is not None:  # of the state at the chunk's end
                to_end, flat = now.to_end(), d_state.flatten(0, 1)
                d_scaled = now.ungrouped(now.b @ flat).mul_(to_end).add_(d_scaled)
                d_b += now.grouped(scaled.mul_(to_end)) @ flat.mT
            taken, skipped = (now.x * d_scaled).sum(-1), (now.x * d_out).sum(-1)
            d_log = (d_out * y[:, now.part]).sum(-1) - D * skipped - now.dt * taken
            if d_state is not None:
                products = (d_state * states[index + 1]).unflatten(-1, (A.shape[0] // groups, -1))
                d_log[:, -1] += products.sum((2, 4)).flatten(1)
            if start is not None:
                d_read = now.grouped(d_out * now.reach())
                d_c += d_read @ start.flatten(0, 1).mT
                passed = (now.c.mT @ d_read).unflatten(0, (batch, -1))
                d_state = passed if d_state is None else passed.add_(now.carried(d_state))
            rates = d_log.flip(1).cumsum(1).flip(1)
            d_dt[:, now.part] = torch.addcmul(taken, rates, A)
            d_A += (rates * now.dt).sum((0, 1))
            d_D += skipped.sum((0, 1))
            torch.mul(d_scaled, now.dt[..., None], out=d_x[:, now.part]).addcmul_(d_out, D[:, None])
            for whole, part in ((d_B, d_b), (d_C, d_c)):
                whole[:, now.part] = part.unflatten(0, (batch, -1)).transpose(1, 2)
        return d_x, d_dt, d_A, d_B, d_C, d_D, None if states[0] is None else d_state, None, None, None
