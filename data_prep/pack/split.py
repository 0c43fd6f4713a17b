"""Documents longer than a pack, cut into pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep.errors import UsageError


@dataclass(frozen=True)
class Pieces:
    """Piece `i` is `lengths[i]` tokens of document `documents[i]`, from its token `starts[i]` on.

    Documents keep their order, and so do the pieces of one.
    """

    documents: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lengths)


def split_long(lengths: NDArray[np.integer[Any]], capacity: int, overlap: int = 0) -> Pieces:
    """Cuts documents longer than `capacity` tokens; the others are a piece each, and empty ones none.

    With `overlap` a following piece begins with the last `overlap` tokens of the one before. Without it, every token
    lies in one piece.

    Raises:
        UsageError: `overlap` isn't smaller than `capacity`.
    """
    check_overlap(capacity, overlap)
    lengths = np.asarray(lengths, np.int64)
    step = capacity - overlap
    counts = np.where(lengths > capacity, 1 - (capacity - lengths) // step, (lengths > 0).astype(np.int64))
    documents = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(documents)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = number * step
    return Pieces(documents, starts, np.minimum(capacity, lengths[documents] - starts))


def check_overlap(capacity: int, overlap: int) -> None:
    """Raises UsageError when no piece of `capacity` tokens can repeat `overlap` and go on."""
    if capacity < 1 or not 0 <= overlap < capacity:
        raise UsageError(
            f"an overlap of {overlap:,} tokens in packs of {capacity:,}",
            remedy="choose a capacity of at least 1 and an overlap from 0 to capacity - 1",
        )
