"""The Mamba-2 state-space scan in chunks (Dao and Gu, 2024, "Transformers are SSMs", section 6), in plain torch.

Per head, with state h (head_dim, state):

    h[t] = exp(dt[t] A) h[t-1] + dt[t] x[t] B[t]^T        y[t] = h[t] C[t] + D x[t]

Inside a chunk this is masked attention with decays, between chunks a recurrence of states. A sequence that
fits one chunk needs no states at all. Decays are kept as logarithms to base 2, because torch's exp2 is several
times faster than exp on a CPU.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_LOG2_E = math.log2(math.e)

_LONGEST_CHUNK = 64
"""More is slower: half of what a chunk computes lies above its diagonal."""


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
        with_state: compute the state after the last position too; without it `Scanned.state` may be None.
    """
    batch, length, heads, dim = x.shape
    groups, state = B.shape[2:]
    shared = heads // groups
    size = min(chunk_size, length, _LONGEST_CHUNK)
    chunks = -(-length // size)
    wide = torch.promote_types(x.dtype, torch.float32)

    xs, dts, Bs, Cs = (_pad(tensor.to(wide), chunks * size) for tensor in (x, dt, B, C))
    documents = None if seq_idx is None else _pad_last(seq_idx, chunks * size).view(batch, chunks, size)
    scaled = (xs * dts[..., None]).view(batch, chunks, size, groups, shared, dim)
    rates = (dts * (A.to(wide) * _LOG2_E)).view(batch, chunks, size, groups, shared)
    log_decay = rates.permute(0, 1, 3, 4, 2).cumsum(-1)  # (batch, chunks, groups, shared, size)
    Bc = Bs.view(batch, chunks, size, groups, state).transpose(2, 3)
    Cc = Cs.view(batch, chunks, size, groups, state).transpose(2, 3)

    blocked = None if documents is None else documents[..., :, None] != documents[..., None, :]
    y = decayed_mix(log_decay, Cc @ Bc.mT, scaled.permute(0, 1, 3, 4, 2, 5), blocked).permute(0, 1, 4, 2, 3, 5)
    final = None
    if chunks > 1 or initial_state is not None or with_state:
        starts, final = _carry(scaled, log_decay, Bc, initial_state, documents)
        if chunks > 1 or initial_state is not None:
            y = _from_starts(starts, log_decay, Cc, documents).add_(y)
    y = y.reshape(batch, chunks * size, heads, dim)[:, :length]
    if D is not None:
        y = torch.addcmul(y, xs[:, :length], D.to(wide)[:, None])
    return Scanned(y.to(x.dtype), final)


def _carry(
    scaled: Tensor, log_decay: Tensor, Bc: Tensor, initial_state: Tensor | None, documents: Tensor | None
) -> tuple[Tensor, Tensor]:
    """States at the start of every chunk (batch, chunks, groups, state, shared*dim), and after the last one."""
    batch, chunks, _, groups, shared, dim = scaled.shape
    state = Bc.shape[-1]
    to_end = torch.exp2(log_decay[..., -1:] - log_decay)  # (batch, chunks, groups, shared, size)
    decay = torch.exp2(log_decay[..., -1])  # of a whole chunk: (batch, chunks, groups, shared)
    if documents is not None:
        ends = torch.cat([documents[:, 0, :1], documents[:, :, -1]], 1)
        to_end = to_end * (documents == ends[:, 1:, None])[:, :, None, None]
        decay = decay * (ends[:, 1:] == ends[:, :-1])[:, :, None, None]
    weighted = (scaled * to_end.permute(0, 1, 4, 2, 3)[..., None]).flatten(-2).transpose(2, 3)
    # The state axis before the heads: the other way round, gradients would have to be transposed.
    grown = (Bc.mT @ weighted).view(batch, chunks, groups, state, shared, dim)
    if initial_state is None:
        last = grown.new_zeros(batch, groups, state, shared, dim)
    else:
        last = initial_state.to(grown.dtype).view(batch, groups, shared, dim, state).permute(0, 1, 4, 2, 3)
    starts = []
    for kept, added in zip(decay[:, :, :, None, :, None].unbind(1), grown.unbind(1), strict=True):
        starts.append(last)
        last = torch.addcmul(added, last, kept)
    final = last.permute(0, 1, 3, 4, 2).reshape(batch, groups * shared, dim, state)
    return torch.stack(starts, 1).flatten(-2), final


def _from_starts(starts: Tensor, log_decay: Tensor, Cc: Tensor, documents: Tensor | None) -> Tensor:
    """What the state at a chunk's start gives to its positions: (batch, chunks, size, groups, shared, dim)."""
    shared = log_decay.shape[3]
    reach = torch.exp2(log_decay)
    if documents is not None:
        before = torch.cat([documents[:, :1, :1], documents[:, :-1, -1:]], 1)
        reach = reach * (documents == before)[:, :, None, None]
    read = (Cc @ starts).unflatten(-1, (shared, -1))  # (batch, chunks, groups, size, shared, dim)
    from_starts: Tensor = (read * reach.mT[..., None]).transpose(2, 3)
    return from_starts


def decayed_mix(log_decay: Tensor, affinity: Tensor, values: Tensor, blocked: Tensor | None) -> Tensor:
    """out[i] = sum over j <= i of 2^(log_decay[i] - log_decay[j]) affinity[i, j] values[j].

    Args:
        log_decay: (batch, chunks, groups, shared, size), falling with the position.
        affinity: (batch, chunks, groups, size, size).
        values: (batch, chunks, groups, shared, size, dim).
        blocked: (batch, chunks, size, size), True where j gives nothing to i.
    """
    result: Tensor = _DecayedMix.apply(log_decay, affinity, values, blocked)  # type: ignore[no-untyped-call]
    return result


class _DecayedMix(torch.autograd.Function):
    """Written out by hand: autograd would keep and pass over five (size x size) tensors a head."""

    @staticmethod
    def forward(ctx: Any, log_decay: Tensor, affinity: Tensor, values: Tensor, blocked: Tensor | None) -> Tensor:
        decay = (log_decay[..., :, None] - log_decay[..., None, :]).exp2_()
        if blocked is not None:
            decay.masked_fill_(blocked[:, :, None, None], 0.0)
        decay.tril_()  # also removes what overflowed above the diagonal
        mixed = decay * affinity[:, :, :, None]
        values = values.contiguous()
        out = mixed @ values
        ctx.save_for_backward(decay, mixed, values, out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        decay, mixed, values, out = ctx.saved_tensors
        grad = grad.contiguous()
        grad_values = mixed.mT @ grad
        grad_affinity = (grad @ values.mT).mul_(decay).sum(3)
        # Row and column sums of grad_mixed * mixed, without forming it.
        products = grad * out  # used twice: memory fresh from the allocator is slow to write
        grad_log = products.sum(-1)
        grad_log -= torch.mul(values, grad_values, out=products).sum(-1)
        return grad_log * math.log(2), grad_affinity, grad_values, None


def _pad(tensor: Tensor, length: int) -> Tensor:
    """Zeros at the end of axis 1; a zero step leaves the state as it is."""
    missing = length - tensor.shape[1]
    return F.pad(tensor, (0, 0) * (tensor.ndim - 2) + (0, missing)) if missing else tensor


def _pad_last(documents: Tensor, length: int) -> Tensor:
    missing = length - documents.shape[1]
    return torch.cat([documents, documents[:, -1:].expand(-1, missing)], 1) if missing else documents
