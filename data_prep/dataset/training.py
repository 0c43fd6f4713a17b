"""Samples as training takes them: tokens, labels, which labels count, where documents end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.dataset.chunks import Chunks
from data_prep.dataset.shuffle import Permutation
from data_prep.errors import DataError
from data_prep.pack import PackedSequences, document_ends


@dataclass(frozen=True)
class TrainingRow:
    """A sequence of `length` tokens.

    tokens, labels: (length,) int64; a label is the token that follows.
    mask: (length,) bool, whether the label counts in the loss; None where all do.
    ends: (documents,) int32, where documents end that don't see each other, rising to `length`; None where all see all.
    """

    tokens: NDArray[np.int64]
    labels: NDArray[np.int64]
    mask: NDArray[np.bool_] | None
    ends: NDArray[np.int32] | None

    @property
    def labels_that_count(self) -> int:
        return len(self.tokens) if self.mask is None else int(np.count_nonzero(self.mask))


class ChunkRows:
    """Rows of concatenated documents.

    Args:
        end_id: the end-of-document token.
        documents_apart: documents in a row don't see each other.
        loss_on_end: whether the end token's position, whose label is the next document's first token, counts.
    """

    def __init__(self, chunks: Chunks, end_id: int, *, documents_apart: bool, loss_on_end: bool) -> None:
        self._chunks = chunks
        self._end_id = end_id
        self._apart = documents_apart
        self._loss_on_end = loss_on_end

    def __getitem__(self, sample: int) -> TrainingRow:
        found = self._chunks[sample].astype(np.int64)
        tokens = found[:-1]
        return TrainingRow(
            tokens=tokens,
            labels=found[1:],
            mask=None if self._loss_on_end else tokens != self._end_id,
            ends=document_ends(tokens, self._end_id) if self._apart else None,
        )


class PackRows:
    """Rows of packed documents, each pack once an epoch, in an order of its own for every epoch.

    Raises:
        DataError: there is no pack.
    """

    def __init__(self, prefix: Path, name: str, capacity: int, end_id: int, seed: int) -> None:
        self._packs = PackedSequences(prefix, capacity, end_id)
        if not len(self._packs):
            raise DataError("the source has no pack", place=str(prefix), remedy="leave it out of the blend")
        self._order = lru_cache(maxsize=4)(lambda epoch: Permutation(len(self._packs), seed, name, capacity, epoch))

    def place(self, sample: int) -> tuple[int, int]:
        """(epoch, pack) of sample `sample`."""
        epoch, position = divmod(sample, len(self._packs))
        return epoch, self._order(epoch)[position]

    def __getitem__(self, sample: int) -> TrainingRow:
        row = self._packs[self.place(sample)[1]]
        return TrainingRow(row.tokens, row.labels, row.loss_mask, row.ends)
