"""Draws tokens from logits. A sample's randomness depends on its seed and the token's number, never on its neighbours.

The stream of a seed is SplitMix64's (Steele, Lea and Flood, 2014): counter-based, so any rows of a batch can be at any
token, and computed where the logits are.
"""

from __future__ import annotations

import hashlib
import struct

import torch
from torch import Tensor

_GOLDEN, _MIX_1, _MIX_2 = (value - (1 << 64) for value in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def sample_seed(*parts: int) -> int:
    """64 bits that name a stream: the same for the same integers in the same order, on any machine.

    RL uses (run seed, purpose, step, prompt, sample).
    """
    packed = b"".join(struct.pack("<q", part) for part in parts)
    return int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest(), "little", signed=True)


def uniforms(seeds: Tensor, first: Tensor, count: int) -> Tensor:
    """Numbers first, first + 1, ... of each seed's stream, uniform in [0, 1).

    Shapes: seeds and first (rows,), int64 -> (rows, count), float64.
    """
    numbers = first[:, None] + torch.arange(1, count + 1, device=seeds.device)
    z = seeds[:, None] + numbers * _GOLDEN
    z = (z ^ _shifted(z, 30)) * _MIX_1
    z = (z ^ _shifted(z, 27)) * _MIX_2
    z = z ^ _shifted(z, 31)
    return _shifted(z, 11).double() * 2.0**-53


def _shifted(z: Tensor, bits: int) -> Tensor:
    """To the right as if unsigned."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def draw(logits: Tensor, uniform: Tensor, temperature: float, top_p: float) -> tuple[Tensor, Tensor]:
    """One token a row by inversion of the cumulative distribution, and its log-probability at temperature 1.

    Args:
        logits: (rows, vocabulary).
        uniform: (rows,), float64 in [0, 1).
        temperature: 0 takes the most likely token.
        top_p: keeps the smallest set of tokens whose probability reaches it.

    Returns:
        (rows,) int64 and (rows,) float32.
    """
    logprobs = torch.log_softmax(logits.float(), -1)
    if temperature == 0:
        chosen = logprobs.argmax(-1)
    else:
        chosen = _invert(_probabilities(logits, logprobs, temperature, top_p), uniform)
    return chosen, logprobs.gather(-1, chosen[:, None]).squeeze(-1)


def _probabilities(logits: Tensor, logprobs: Tensor, temperature: float, top_p: float) -> Tensor:
    """(rows, vocabulary), float64."""
    if temperature == 1:
        probabilities = logprobs.double().exp_()
    else:
        probabilities = torch.softmax(logits.double() / temperature, -1)
    return _nucleus(probabilities, top_p) if top_p < 1 else probabilities


def _invert(probabilities: Tensor, uniform: Tensor) -> Tensor:
    cumulative = probabilities.cumsum(-1)
    target = uniform[:, None] * cumulative[:, -1:]
    # searchsorted(right=True) never lands on a token of probability zero
    chosen = torch.searchsorted(cumulative, target, right=True).squeeze(-1)
    return chosen.clamp_(max=probabilities.shape[-1] - 1)


def _nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    ordered, order = probabilities.sort(-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = ordered.masked_fill(before >= top_p, 0.0)
    return torch.zeros_like(probabilities).scatter_(-1, order, kept)
