"""Speed and fill of packing on a mix of document lengths such as corpora have."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_prep.pack.best_fit import best_fit_decreasing
from data_prep.pack.split import split_long


@dataclass(frozen=True)
class PackingMeasure:
    """`seconds` to split and pack `documents` on one core, compiled beforehand; `fill` from 0 to 1."""

    documents: int
    tokens: int
    packs: int
    seconds: float
    fill: float


def lognormal_lengths(documents: int, median: float = 1_500, sigma: float = 1.2, seed: int = 0) -> NDArray[np.int64]:
    """Document lengths in tokens, at least 1."""
    lengths = np.random.default_rng(seed).lognormal(np.log(median), sigma, documents)
    return np.maximum(1, lengths.astype(np.int64))


def measure_packing(documents: int = 1_000_000, capacity: int = 16_384, seed: int = 0) -> PackingMeasure:
    """Splits and packs lognormal lengths."""
    lengths = lognormal_lengths(documents, seed=seed)
    best_fit_decreasing(lengths[:1].clip(max=capacity), capacity)
    start = time.perf_counter()
    pieces = split_long(lengths, capacity)
    packs = best_fit_decreasing(pieces.lengths, capacity)
    seconds = time.perf_counter() - start
    tokens = int(lengths.sum())
    return PackingMeasure(documents, tokens, len(packs), seconds, tokens / (len(packs) * capacity))
