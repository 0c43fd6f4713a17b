"""Softmax attention; torch picks flash, memory-efficient or plain math, on CPU and GPU alike.

A sliding window and packed documents are computed in blocks, so that what isn't seen costs little.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_SMALLEST_BLOCK, _BLOCK = 128, 1_024


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    causal: bool = False,
    mask: Tensor | None = None,
    scale: float | None = None,
    window: int | None = None,
    documents: Sequence[int] | None = None,
) -> Tensor:
    """Shapes: query (batch, heads, new, dim), key and value (batch, groups, all, dim) -> (batch, heads, new, dim).

    Args:
        causal: each position sees itself and those before it; needs new == all.
        mask: broadcast to (batch, heads, new, all); boolean, True where a key is seen, or what is added to the scores.
            Not with `causal`.
        scale: of the scores; dim^-0.5 by default.
        window: with `causal`, how many positions are seen, the current one counted.
        documents: with `causal`, where each document ends, rising to `all`; other documents are not seen.
    """
    if documents is not None:
        starts = [0, *documents[:-1]]
        parts = [
            attention(
                query[:, :, start:end],
                key[:, :, start:end],
                value[:, :, start:end],
                causal=causal,
                scale=scale,
                window=window,
            )
            for start, end in zip(starts, documents, strict=True)
            if end > start
        ]
        return torch.cat(parts, 2)
    if causal and window is not None and window < query.shape[2]:
        return attention_from(query, key, value, 0, scale=scale, window=window)
    grouped = query.shape[1] != key.shape[1]
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=causal, scale=scale, enable_gqa=grouped
    )


def attention_of_one(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None, scale: float | None = None
) -> Tensor:
    """One query a sequence, as decoding has it.

    On a CPU, torch's fused attention is slower here than two products and a softmax.

    Shapes: query (batch, groups, heads of a group, dim), key and value (batch, groups, all, dim) -> (batch, groups,
    heads of a group, dim).

    Args:
        bias: what is added to the scores, (batch x groups, 1, all).
        scale: of the scores; dim^-0.5 by default.
    """
    batch, groups, heads, dim = query.shape
    if query.device.type != "cpu" or query.dtype != torch.float32:
        q = query.reshape(batch, groups * heads, 1, dim)
        mask = None if bias is None else bias.view(batch, groups, 1, 1, -1).expand(-1, -1, heads, -1, -1).flatten(1, 2)
        out = attention(q, key, value, mask=mask, scale=scale)
        return out.view(batch, groups, heads, dim)
    q, k, v = (part.flatten(0, 1) for part in (query, key, value))
    scale = dim**-0.5 if scale is None else scale
    scores = torch.bmm(q * scale, k.mT) if bias is None else torch.baddbmm(bias, q, k.mT, alpha=scale)
    return torch.bmm(torch.softmax(scores, -1), v).view(batch, groups, heads, dim)


def windowed(bias: Tensor | None, positions: Tensor, end: int, window: int, dtype: torch.dtype) -> Tensor:
    """What to add to the scores of one query a row, so that it also sees no more than `window` keys.

    Shapes: bias (rows, 1, end) or None, positions of the queries (rows,) -> (rows, 1, end).
    """
    seen = torch.arange(end, device=positions.device)[None, :] > positions[:, None] - window
    outside = torch.where(seen, 0.0, float("-inf")).to(dtype)[:, None, :]
    return outside if bias is None else bias + outside


def attention_from(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    first: int,
    *,
    scale: float | None = None,
    window: int | None = None,
    documents: Sequence[int] | None = None,
) -> Tensor:
    """Causal attention of the queries at positions first, first + 1, ... of the keys' sequence, block by block.

    Shapes, `window` and `documents` as in `attention`; no block sees keys that none of its queries sees.
    """
    last, block = first + query.shape[2], max(window or 0, _SMALLEST_BLOCK if window else _BLOCK)
    begins = _document_begins(documents, key.shape[2], query.device)
    parts = []
    for start in range(first, last, block):
        end = min(start + block, last)
        low = max(0, start - window + 1) if window else 0
        if begins is not None:
            low = max(low, int(begins[start]))
        keys = torch.arange(low, end, device=query.device)
        distance = torch.arange(start, end, device=query.device)[:, None] - keys
        seen = distance >= 0 if window is None else (distance >= 0) & (distance < window)
        if begins is not None:
            seen &= keys >= begins[start:end, None]
        queries = query[:, :, start - first : end - first]
        parts.append(attention(queries, key[:, :, low:end], value[:, :, low:end], mask=seen, scale=scale))
    return torch.cat(parts, 2)


def _document_begins(documents: Sequence[int] | None, length: int, device: torch.device) -> Tensor | None:
    """First position of the document that each position lies in: (length,)."""
    if documents is None:
        return None
    ends = torch.tensor([0, *documents], device=device)
    return ends[:-1].repeat_interleave(ends.diff(), output_size=length)
