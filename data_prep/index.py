"""Megatron's indexed token files, .bin and .idx, written and read without Megatron.

| part of .idx | type |
|---|---|
| magic `MMIDIDX\\0\\0` | 9 bytes |
| version 1 | uint64 |
| code of the token type | uint8 |
| number of sequences | uint64 |
| number of document boundaries | uint64 |
| length of each sequence, in tokens | int32 each |
| offset of each sequence in .bin, in bytes | int64 each |
| document boundaries: index of the first sequence of each, and the end | int64 each |

Little-endian. Here a sequence is a document. The files are the same, byte for byte, as those of
`megatron.core.datasets.indexed_dataset.IndexedDatasetBuilder`.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep.errors import DataError
from data_prep.files import sync_directory

MAGIC = b"MMIDIDX\x00\x00"
VERSION = 1
DTYPES: dict[int, type[np.generic]] = {1: np.uint8, 2: np.int8, 3: np.int16, 4: np.int32, 5: np.int64, 8: np.uint16}
_CODES = {np.dtype(dtype): code for code, dtype in DTYPES.items()}
_HEADER = struct.Struct("<QBQQ")


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """uint16 where the vocabulary fits, else int32; Megatron's own rule."""
    return np.dtype(np.uint16 if vocab_size < 65_500 else np.int32)


class IndexWriter:
    """Writes documents one after the other; memory grows by 4 bytes a document. Use as a context manager.

    Both files get their names only when everything is on disk; after an error there is neither.
    """

    def __init__(self, prefix: Path, vocab_size: int) -> None:
        self.prefix = prefix
        self.documents = 0
        self.tokens = 0
        self._dtype = token_dtype(vocab_size)
        self._lengths: list[int] = []
        prefix.parent.mkdir(parents=True, exist_ok=True)
        self._bin = prefix.with_name(f".{prefix.name}.bin.{os.getpid()}.tmp")
        self._idx = prefix.with_name(f".{prefix.name}.idx.{os.getpid()}.tmp")
        self._handle = self._bin.open("wb")

    def add(self, tokens: Sequence[int]) -> None:
        """Appends a document.

        Raises:
            OverflowError: a token doesn't fit the vocabulary's type.
        """
        # array takes a list's numbers in half the time that numpy needs
        self._handle.write(array(self._dtype.char, tokens))
        self._lengths.append(len(tokens))
        self.documents += 1
        self.tokens += len(tokens)

    def __enter__(self) -> IndexWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            _sync_and_close(self._handle)
            if kind is None:
                with self._idx.open("wb") as handle:
                    self._write_index(handle)
                    handle.flush()
                    os.fsync(handle.fileno())
                self._bin.replace(bin_path(self.prefix))
                self._idx.replace(idx_path(self.prefix))
                sync_directory(self.prefix.parent)
        finally:
            self._bin.unlink(missing_ok=True)
            self._idx.unlink(missing_ok=True)

    def _write_index(self, handle: Any) -> None:
        lengths = np.asarray(self._lengths, dtype=np.int32)
        offsets = np.zeros(len(lengths), dtype=np.int64)
        np.cumsum(lengths[:-1], out=offsets[1:], dtype=np.int64)
        handle.write(MAGIC)
        handle.write(_HEADER.pack(VERSION, _CODES[self._dtype], len(lengths), len(lengths) + 1))
        handle.write(lengths.tobytes())
        handle.write((offsets * self._dtype.itemsize).tobytes())
        handle.write(np.arange(len(lengths) + 1, dtype=np.int64).tobytes())


def _sync_and_close(handle: Any) -> None:
    handle.flush()
    os.fsync(handle.fileno())
    handle.close()


def bin_path(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".bin")


def idx_path(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".idx")


class IndexedFile:
    """Reads a .bin/.idx pair, ours or Megatron's, memory-mapped.

    Raises:
        DataError: a file is missing, cut short, or not an index.
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        index, place = idx_path(prefix), str(idx_path(prefix))
        if not index.is_file() or not bin_path(prefix).is_file():
            raise DataError("no .bin/.idx pair", place=str(prefix), remedy="run `prism data prepare`")
        raw = index.read_bytes()
        start = len(MAGIC) + _HEADER.size
        if raw[: len(MAGIC)] != MAGIC or len(raw) < start:
            raise DataError("not a Megatron index (MMIDIDX)", place=place, remedy="tokenise the source again")
        version, code, sequences, boundaries = _HEADER.unpack_from(raw, len(MAGIC))
        if version != VERSION or code not in DTYPES:
            raise DataError(
                f"index version {version}, token type {code}: this release reads version {VERSION}",
                place=place,
                remedy="tokenise the source again",
            )
        expected = start + sequences * 12 + boundaries * 8
        if len(raw) != expected:
            raise DataError(
                f"{len(raw)} bytes, its header says {expected}", place=place, remedy="tokenise the source again"
            )
        self.dtype = np.dtype(DTYPES[code])
        self.lengths: NDArray[np.int32] = np.frombuffer(raw, np.int32, sequences, start)
        self.offsets: NDArray[np.int64] = np.frombuffer(raw, np.int64, sequences, start + 4 * sequences)
        self.boundaries: NDArray[np.int64] = np.frombuffer(raw, np.int64, boundaries, start + 12 * sequences)
        self._check_tokens()
        self._tokens: NDArray[Any] = (
            np.memmap(bin_path(prefix), dtype=self.dtype, mode="r") if self.tokens else np.empty(0, self.dtype)
        )

    def _check_tokens(self) -> None:
        size, expected = bin_path(self.prefix).stat().st_size, self.tokens * self.dtype.itemsize
        if size != expected:
            raise DataError(
                f"{size} bytes, the index says {expected}",
                place=str(bin_path(self.prefix)),
                remedy="tokenise the source again",
            )

    @property
    def tokens(self) -> int:
        return int(self.lengths.sum(dtype=np.int64))

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> NDArray[Any]:
        """Tokens of document `index`."""
        start = int(self.offsets[index]) // self.dtype.itemsize
        return self._tokens[start : start + int(self.lengths[index])]
