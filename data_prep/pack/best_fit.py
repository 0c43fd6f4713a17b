"""Best-Fit Decreasing: which piece lies in which pack (paper section 8.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep.errors import DataError


@dataclass(frozen=True)
class Packs:
    """Pack `i` holds the pieces `order[starts[i]:starts[i + 1]]`, longest first.

    Packs stand in the order in which they were opened: the pieces of a document that was split lie in packs whose
    numbers rise.
    """

    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: int) -> NDArray[np.int64]:
        """The pieces of a pack."""
        return self.order[self.starts[index] : self.starts[index + 1]]


def best_fit_decreasing(lengths: NDArray[np.integer[Any]], capacity: int) -> Packs:
    """Pieces by falling length, each into the open pack whose room fits it most tightly, else into a new one.

    The result depends on nothing but the arguments: equal lengths keep their order, and of packs with equal room the
    one that was filled last is taken. O(n log capacity) time: 1M documents of a lognormal mix take 0.2 s on one core.

    Args:
        lengths: tokens of each piece, shape (pieces,).
        capacity: tokens a pack holds.

    Raises:
        DataError: a piece is empty or longer than a pack.
    """
    values = np.array(lengths, np.int64)
    wrong = np.flatnonzero((values < 1) | (values > capacity))
    if len(wrong):
        raise DataError(
            f"{values[wrong[0]]:,} tokens don't fit a pack of {capacity:,}",
            place=f"piece {wrong[0]}",
            remedy="cut long documents with split_long, leave empty ones out",
        )
    # here, because training reads packs and has no use for numba
    from data_prep.pack.kernel import pack

    return Packs(*pack(values, capacity))
