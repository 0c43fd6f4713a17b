"""The documents of a source, a buffer at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_prep.errors import DataError
from data_prep.index import IndexedFile, idx_path


@dataclass(frozen=True)
class Buffer:
    """Documents that follow one another: where each begins in .bin, and its length. Both in tokens."""

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]


def read_buffers(file: IndexedFile, buffer_documents: int) -> Iterator[Buffer]:
    """`buffer_documents` at a time, in order; every entry of the index is checked on the way.

    Raises:
        DataError: sequences don't lie one behind the other in .bin, or documents don't cover them all.
    """
    sequence = token = 0
    _check(file, not file.documents or int(file.boundaries[0]) == 0, "the first document doesn't begin at sequence 0")
    for first in range(0, file.documents, buffer_documents):
        bounds = file.boundaries[first : first + buffer_documents + 1]
        rising = int(bounds[0]) == sequence and bool(np.all(bounds[:-1] <= bounds[1:]))
        _check(file, rising and int(bounds[-1]) <= len(file), f"wrong boundaries from document {first:,} on")
        lengths = file.lengths[sequence : int(bounds[-1])]
        ends = np.zeros(len(lengths) + 1, np.int64)
        np.cumsum(lengths, dtype=np.int64, out=ends[1:])
        ends += token
        in_order = np.array_equal(file.offsets[sequence : int(bounds[-1])], ends[:-1] * file.dtype.itemsize)
        _check(file, in_order and not np.any(lengths < 0), f"wrong lengths or offsets from sequence {sequence:,} on")
        edges = ends[bounds - sequence]
        yield Buffer(edges[:-1], np.diff(edges))
        sequence, token = int(bounds[-1]), int(ends[-1])
    _check(file, sequence == len(file), f"sequences from {sequence:,} on belong to no document")


def _check(file: IndexedFile, right: bool, problem: str) -> None:
    if not right:
        raise DataError(problem, place=str(idx_path(file.prefix)), remedy="tokenise the source again")
