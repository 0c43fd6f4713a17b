"""Softmax attention over one batch; torch picks flash, memory-efficient or plain math, on CPU and GPU alike."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    causal: bool = False,
    mask: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Shapes: query (batch, heads, new, dim), key and value (batch, groups, all, dim) -> (batch, heads, new, dim).

    Args:
        causal: each position sees itself and those before it; needs new == all.
        mask: boolean, broadcast to (batch, heads, new, all), True where a key is seen. Not with `causal`.
        scale: of the scores; dim^-0.5 by default.
    """
    grouped = query.shape[1] != key.shape[1]
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=causal, scale=scale, enable_gqa=grouped
    )
