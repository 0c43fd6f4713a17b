"""Draws tokens from logits. A row's randomness depends on its seed alone, never on its neighbours in the batch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def uniforms(seed: int, rows: int, columns: int) -> Tensor:
    """Uniform numbers in [0, 1), shape (rows, columns); row i is a stream of its own, keyed by (seed, i)."""
    draws = np.empty((rows, columns))
    for row in range(rows):
        draws[row] = np.random.Generator(np.random.Philox(key=[seed, row])).random(columns)
    return torch.from_numpy(draws)


def draw(logits: Tensor, uniform: Tensor, temperature: float, top_p: float) -> Tensor:
    """One token a row by inversion of the cumulative distribution.

    Args:
        logits: (rows, vocabulary).
        uniform: (rows,), float64 in [0, 1).
        temperature: 0 takes the most likely token.
        top_p: keeps the smallest set of tokens whose probability reaches it.
    """
    if temperature == 0:
        return logits.argmax(-1)
    probabilities = torch.softmax(logits.double() / temperature, -1)
    if top_p < 1:
        probabilities = _nucleus(probabilities, top_p)
    cumulative = probabilities.cumsum(-1)
    target = uniform[:, None] * cumulative[:, -1:]
    # searchsorted(right=True) never lands on a token of probability zero
    return torch.searchsorted(cumulative, target, right=True).squeeze(-1).clamp_(max=logits.shape[-1] - 1)


def _nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    ordered, order = probabilities.sort(-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = ordered.masked_fill(before >= top_p, 0.0)
    return torch.zeros_like(probabilities).scatter_(-1, order, kept)
