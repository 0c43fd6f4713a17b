"""Packs as rows to train on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.errors import DataError
from data_prep.index import IndexedFile, bin_path


@dataclass(frozen=True)
class PackedRow:
    """A pack of up to `capacity` tokens, padded with end-of-document tokens.

    tokens: shape (capacity,).
    labels: the next token of the same piece, shape (capacity,); the end-of-document token where the mask is False.
    loss_mask: shape (capacity,); False on the last token of a piece, whose next token isn't in it, and on padding.
    ends: where each piece ends, rising, shape (pieces,). The padding is the last piece; the last entry is `capacity`.
    """

    tokens: NDArray[np.int64]
    labels: NDArray[np.int64]
    loss_mask: NDArray[np.bool_]
    ends: NDArray[np.int32]


class PackedSequences:
    """The packs of a file that `pack_source` wrote, memory-mapped. Documents of other files do as well if they fit.

    Raises:
        DataError: the files are missing or damaged.
    """

    def __init__(self, prefix: Path, capacity: int, end_id: int) -> None:
        self.capacity = capacity
        self.end_id = end_id
        self._file = IndexedFile(prefix)

    def __len__(self) -> int:
        return self._file.documents

    def __getitem__(self, index: int) -> PackedRow:
        """Pack `index`.

        Raises:
            IndexError: there is no such pack.
            DataError: it holds more than `capacity` tokens.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"pack {index} of {len(self)}")
        pieces = [piece for piece in self._file.document(index) if len(piece)]
        ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
        filled = int(ends[-1]) if pieces else 0
        if filled > self.capacity:
            raise DataError(
                f"pack {index:,} holds {filled:,} tokens, more than {self.capacity:,}",
                place=str(bin_path(self._file.prefix)),
                remedy="pack the source again with this capacity, or read it with its own",
            )
        tokens = np.full(self.capacity, self.end_id, np.int64)
        if pieces:
            np.concatenate(pieces, out=tokens[:filled], casting="same_kind")
        labels = np.append(tokens[1:], self.end_id)
        loss_mask = np.arange(self.capacity) < filled
        labels[ends - 1] = self.end_id
        loss_mask[ends - 1] = False
        if filled < self.capacity:
            ends = np.append(ends, self.capacity)
        return PackedRow(tokens, labels, loss_mask, ends.astype(np.int32))
