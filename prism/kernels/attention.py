"""Softmax attention; torch picks flash, memory-efficient or plain math, on CPU and GPU alike.

A sliding window and packed documents are computed in blocks, so that what isn't seen costs little.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_SMALLEST_BLOCK = 128


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
        mask: boolean, broadcast to (batch, heads, new, all), True where a key is seen. Not with `causal`.
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
    if window is not None and window < query.shape[2]:
        return _windowed(query, key, value, scale, window)
    grouped = query.shape[1] != key.shape[1]
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=causal, scale=scale, enable_gqa=grouped
    )


def window_mask(first: int, end: int, window: int, device: torch.device) -> Tensor:
    """Which of positions 0..end the queries first..end may see by the window alone: (end - first, end), boolean."""
    queries = torch.arange(first, end, device=device)[:, None]
    return torch.arange(end, device=device)[None, :] > queries - window


def _windowed(query: Tensor, key: Tensor, value: Tensor, scale: float | None, window: int) -> Tensor:
    """A block of queries against the keys that any of them sees."""
    length, block = query.shape[2], max(window, _SMALLEST_BLOCK)
    parts = []
    for start in range(0, length, block):
        end, first = min(start + block, length), max(0, start - window + 1)
        distance = torch.arange(start, end, device=query.device)[:, None] - torch.arange(
            first, end, device=query.device
        )
        seen = (distance >= 0) & (distance < window)
        keys, values = key[:, :, first:end], value[:, :, first:end]
        parts.append(attention(query[:, :, start:end], keys, values, mask=seen, scale=scale))
    return torch.cat(parts, 2)
