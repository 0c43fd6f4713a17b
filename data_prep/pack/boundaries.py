"""Where documents begin and end inside a sequence, as attention and Mamba ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from data_prep.pack.rows import PackedRow


def document_ends(tokens: NDArray[np.integer[Any]], end_id: int) -> NDArray[np.int32]:
    """Ends of the documents in a chunk of tokens, shape (documents,): behind each end-of-document token, and the
    chunk's own end. For concatenated documents whose attention is kept inside each."""
    ends = np.flatnonzero(tokens == end_id) + 1
    if len(tokens) and (not len(ends) or ends[-1] != len(tokens)):
        ends = np.append(ends, len(tokens))
    return ends.astype(np.int32)


def cumulative_lengths(row: PackedRow | NDArray[np.int32]) -> NDArray[np.int32]:
    """[0, *ends], shape (pieces + 1,), of a row or of ends: `cu_seqlens` of variable-length attention."""
    return np.concatenate((np.zeros(1, np.int32), _ends(row)))


def sequence_index(row: PackedRow | NDArray[np.int32]) -> NDArray[np.int32]:
    """Number of the piece that each token belongs to, from 0, shape (tokens,), of a row or of ends: `seq_idx` of
    Mamba's kernels, which start a new state where it changes."""
    lengths = np.diff(_ends(row), prepend=0)
    return np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)


def _ends(row: PackedRow | NDArray[np.int32]) -> NDArray[np.int32]:
    return row if isinstance(row, np.ndarray) else row.ends
