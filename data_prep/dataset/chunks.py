"""Concatenate and chunk: a source as an endless sequence of samples of one length."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep.dataset.shuffle import Permutation, draw
from data_prep.errors import DataError
from data_prep.index import IndexedFile


class Chunks:
    """Samples of `length` tokens and the one that follows, out of a source's documents put end to end.

    Each epoch cuts the source into floor(tokens / length) chunks, the file taken as a ring, and gives each once, in an
    order of its own. Where the cutting begins is drawn for every epoch, so the fewer than `length` tokens that an epoch
    leaves over are others each time. A source shorter than a sample is repeated inside it. Sample k depends on seed,
    name, length and k alone: not on how many are asked for.

    Raises:
        DataError: the source has no token.
    """

    def __init__(self, prefix: Path, name: str, length: int, seed: int) -> None:
        self.file = IndexedFile(prefix)
        if not self.file.tokens:
            raise DataError("the source has no token", place=str(prefix), remedy="leave it out of the blend")
        self.length = length
        self.per_epoch = max(1, self.file.tokens // length)
        self._key = (seed, name, length)
        self._order = lru_cache(maxsize=4)(self._epoch)

    def _epoch(self, epoch: int) -> tuple[Permutation, int]:
        return Permutation(self.per_epoch, *self._key, epoch), draw(self.file.tokens, *self._key, epoch, "begin")

    def place(self, sample: int) -> tuple[int, int, int]:
        """(epoch, chunk of the epoch, first token in the file) of sample `sample`."""
        epoch, position = divmod(sample, self.per_epoch)
        order, begin = self._order(epoch)
        chunk = order[position]
        return epoch, chunk, (begin + chunk * self.length) % self.file.tokens

    def __getitem__(self, sample: int) -> NDArray[Any]:
        """Tokens of sample `sample`: (length + 1,), in the file's type."""
        start = self.place(sample)[2]
        found = self.file.read(start, self.length + 1)
        while len(found) < self.length + 1:
            found = np.concatenate([found, self.file.read(0, self.length + 1 - len(found))])
        return found
