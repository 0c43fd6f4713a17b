"""Reads a .bin/.idx pair, ours or anybody's, memory-mapped."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep.errors import DataError
from data_prep.index.format import DTYPES, HEADER, HEADER_BYTES, MAGIC, VERSION, bin_path, idx_path

REMEDY = "tokenise the source again"


class IndexedFile:
    """The sequences of a pair. Opening takes the same time whatever its size; `validate_index` looks at every entry.

    Raises:
        DataError: a file is missing, cut short, or not an index.
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        index, place = idx_path(prefix), str(idx_path(prefix))
        if not index.is_file() or not bin_path(prefix).is_file():
            raise DataError("no .bin/.idx pair", place=str(prefix), remedy="run `prism data prepare`")
        raw = _map(index)
        if len(raw) < HEADER_BYTES or raw[: len(MAGIC)] != MAGIC:
            raise DataError("not a Megatron index (MMIDIDX)", place=place, remedy=REMEDY)
        version, code, sequences, boundaries = HEADER.unpack_from(raw, len(MAGIC))
        if version != VERSION or code not in DTYPES:
            raise DataError(
                f"index version {version}, token type {code}: this release reads version {VERSION}",
                place=place,
                remedy=REMEDY,
            )
        expected = HEADER_BYTES + sequences * 12 + boundaries * 8
        if len(raw) not in (expected, expected + sequences):  # multimodal files add a mode (int8) a sequence
            raise DataError(f"{len(raw)} bytes, its header says {expected}", place=place, remedy=REMEDY)
        self.dtype = np.dtype(DTYPES[code])
        self.lengths: NDArray[np.int32] = np.frombuffer(raw, np.int32, sequences, HEADER_BYTES)
        self.offsets: NDArray[np.int64] = np.frombuffer(raw, np.int64, sequences, HEADER_BYTES + 4 * sequences)
        self.boundaries: NDArray[np.int64] = np.frombuffer(raw, np.int64, boundaries, HEADER_BYTES + 12 * sequences)
        self._check_size()
        self._tokens: NDArray[Any] = np.frombuffer(_map(bin_path(prefix)), self.dtype)

    def _check_size(self) -> None:
        size = bin_path(self.prefix).stat().st_size
        # in a whole file the last sequence ends where .bin does
        last = int(self.offsets[-1]) + int(self.lengths[-1]) * self.dtype.itemsize if len(self.lengths) else 0
        if size != last or size % self.dtype.itemsize:
            raise DataError(f"{size} bytes, the index says {last}", place=str(bin_path(self.prefix)), remedy=REMEDY)

    @property
    def tokens(self) -> int:
        """Tokens in all: the size of .bin."""
        return len(self._tokens)

    @property
    def documents(self) -> int:
        return max(0, len(self.boundaries) - 1)

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.lengths)

    def __getitem__(self, index: int) -> NDArray[Any]:
        """Tokens of sequence `index`."""
        start = int(self.offsets[index]) // self.dtype.itemsize
        return self._tokens[start : start + int(self.lengths[index])]

    def document(self, index: int) -> list[NDArray[Any]]:
        """The sequences of document `index`."""
        return [self[sequence] for sequence in range(int(self.boundaries[index]), int(self.boundaries[index + 1]))]

    def read(self, start: int, count: int) -> NDArray[Any]:
        """`count` tokens from token `start` of .bin on, across sequences."""
        return self._tokens[start : start + count]

    def tokens_at(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """The tokens at these places of .bin."""
        return self._tokens[places]


def _map(path: Path) -> mmap.mmap | bytes:
    with path.open("rb") as handle:
        return mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
