"""Which source each sample of a blend comes from: Megatron's rule, in a tenth of its memory.

Sample i comes from the source whose count lags most behind its share: the first j with the largest
weight_j x max(i, 1) - count_j. It is the order of megatron-core's `helpers_cpp.build_blending_indices`, number for
number. That function keeps 10 bytes a sample, source and position in the source. Here the source takes one byte, and
the position is the count of that source at the beginning of a block plus a count inside the block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from data_prep.errors import DataError
from data_prep.files import atomic_writer

BLOCK = 1 << 12
"""Samples between two counts."""

MOST_SOURCES = 256


@dataclass(frozen=True)
class BlendOrder:
    """`sources`: (samples,) uint8. `counts`: (blocks + 1, sources) int64, samples of each source before a block."""

    sources: NDArray[np.uint8]
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, sample: int) -> tuple[int, int]:
        """(source, which of the source's samples it is, from 0)."""
        source = int(self.sources[sample])
        start = sample - sample % BLOCK
        inside = np.count_nonzero(self.sources[start:sample] == source)
        return source, int(self.counts[sample // BLOCK, source]) + int(inside)

    def totals(self, samples: int | None = None) -> NDArray[np.int64]:
        """How many of the first `samples` (all) come from each source."""
        stop = len(self) if samples is None else samples
        start = stop - stop % BLOCK
        rest = np.bincount(self.sources[start:stop], minlength=self.counts.shape[1])
        return np.asarray(self.counts[stop // BLOCK] + rest, np.int64)


def blend_order(weights: Sequence[float], samples: int) -> BlendOrder:
    """The first `samples` samples of a blend; those of a longer blend begin the same.

    Args:
        weights: of each source, in any unit.

    Raises:
        DataError: a weight that isn't above 0, or more than 256 sources.
    """
    shares = np.asarray(weights, np.float64)
    if not 0 < len(shares) <= MOST_SOURCES or not (np.isfinite(shares).all() and (shares > 0).all()):
        raise DataError(
            f"{len(shares)} weights, the smallest {shares.min() if len(shares) else 'missing'}",
            place="blend",
            remedy=f"give 1 to {MOST_SOURCES} weights above 0",
        )
    shares = shares / shares.sum()
    sources = np.empty(samples, np.uint8)
    counts = np.zeros((samples // BLOCK + 1, len(shares)), np.int64)
    _fill(shares, sources, counts)
    return BlendOrder(sources, counts)


@njit(cache=True, boundscheck=False, error_model="numpy")
def _fill(shares: Any, sources: Any, counts: Any) -> None:
    number = len(shares)
    taken = np.zeros(number, np.float64)
    for sample in range(len(sources)):
        if sample % BLOCK == 0:
            for source in range(number):
                counts[sample // BLOCK, source] = np.int64(taken[source])
        position = max(np.float64(sample), 1.0)
        most = shares[0] * position - taken[0]
        chosen = 0
        for source in range(1, number):
            lag = shares[source] * position - taken[source]
            if lag > most:
                most = lag
                chosen = source
        sources[sample] = chosen
        taken[chosen] += 1.0
    if len(sources) % BLOCK == 0:
        for source in range(number):
            counts[len(sources) // BLOCK, source] = np.int64(taken[source])


def write_order(path: Path, order: BlendOrder) -> None:
    """Writes an order as .npy: counts in <path>.counts.npy, so that both can be memory-mapped."""
    for file, values in ((_counts_path(path), order.counts), (path, order.sources)):
        with atomic_writer(file) as handle:
            np.save(handle, values, allow_pickle=False)


def read_order(path: Path) -> BlendOrder:
    """Maps a written order; takes the same time whatever its length."""
    sources = np.load(path, mmap_mode="r", allow_pickle=False)
    return BlendOrder(sources, np.load(_counts_path(path), mmap_mode="r", allow_pickle=False))


def _counts_path(path: Path) -> Path:
    return path.with_suffix(".counts.npy")
