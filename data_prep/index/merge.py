"""Several .bin/.idx pairs into one: tokens are copied by the kernel, the index is streamed."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from data_prep.content_hash import Piece
from data_prep.errors import DataError
from data_prep.files import sync_directory
from data_prep.index.format import bin_path, header, idx_path
from data_prep.index.reader import IndexedFile
from data_prep.index.validate import check_index

_BLOCK = 1 << 20
"""Entries of an index that are held at once."""


def merge_indexes(shards: Sequence[Path], prefix: Path) -> Piece:
    """Writes the documents of `shards`, in their order, to `prefix`; returns the hash of its .idx.

    Memory is bounded whatever the shards hold. The files get their names when both are on disk, and are those that one
    writer makes of the same documents.

    Raises:
        DataError: no shard, a shard is damaged, or their token types differ.
    """
    counts = _check(shards, prefix)
    prefix.parent.mkdir(parents=True, exist_ok=True)
    tokens = prefix.with_name(f".{prefix.name}.bin.{os.getpid()}.tmp")
    index = prefix.with_name(f".{prefix.name}.idx.{os.getpid()}.tmp")
    try:
        with tokens.open("wb") as out:
            for shard in shards:
                _append_file(out, bin_path(shard))
            out.flush()
            os.fsync(out.fileno())
        with index.open("wb") as out:
            piece = _write_index(out, shards, counts)
            out.flush()
            os.fsync(out.fileno())
        tokens.replace(bin_path(prefix))
        index.replace(idx_path(prefix))
        sync_directory(prefix.parent)
    finally:
        tokens.unlink(missing_ok=True)
        index.unlink(missing_ok=True)
    return piece


@dataclass(frozen=True)
class _Counts:
    dtype: np.dtype[Any]
    sequences: int
    documents: int


def _check(shards: Sequence[Path], prefix: Path) -> _Counts:
    if not shards:
        raise DataError("no shard to merge", place=str(prefix), remedy="name at least one .bin/.idx pair")
    dtype = IndexedFile(shards[0]).dtype
    sequences = documents = 0
    for file in _each(shards):
        check_index(file)
        if file.dtype != dtype:
            raise DataError(
                f"tokens are {file.dtype}, those of {shards[0].name} are {dtype}",
                place=str(bin_path(file.prefix)),
                remedy="tokenise all shards with one tokenizer",
            )
        sequences += len(file)
        documents += file.documents
    return _Counts(dtype, sequences, documents)


def _each(shards: Sequence[Path]) -> Iterator[IndexedFile]:
    """One open at a time: a mapped file takes a descriptor, and there may be more shards than a process may have."""
    return map(IndexedFile, shards)


def _append_file(out: IO[bytes], path: Path) -> None:
    """Copies without passing the bytes through this process, where the file system can."""
    with path.open("rb") as source:
        left = os.fstat(source.fileno()).st_size
        try:
            while left:
                copied = os.copy_file_range(source.fileno(), out.fileno(), left)
                if not copied:
                    break
                left -= copied
        except OSError:  # another file system, or one that can't
            pass
        if left:
            source.seek(-left, os.SEEK_END)
            out.seek(0, os.SEEK_END)
            shutil.copyfileobj(source, out, 16 << 20)
        else:
            out.seek(0, os.SEEK_END)


def _write_index(out: IO[bytes], shards: Sequence[Path], counts: _Counts) -> Piece:
    hashed = _Hashing(out)
    hashed.write(header(counts.dtype, counts.sequences, counts.documents + 1))
    for file in _each(shards):
        for block in _blocks(file.lengths):
            hashed.write(block.tobytes())
    start = 0
    for file in _each(shards):
        for block in _blocks(file.lengths):
            ends = np.cumsum(block, dtype=np.int64)
            hashed.write(((start + ends - block) * counts.dtype.itemsize).tobytes())
            start += int(ends[-1])
    hashed.write(np.zeros(1, np.int64).tobytes())
    first = 0
    for file in _each(shards):
        for block in _blocks(file.boundaries[1:]):
            hashed.write((block + first).tobytes())
        first += len(file)
    return Piece(hashed.size, hashed.digest.hexdigest())


class _Hashing:
    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, content: bytes) -> None:
        self._out.write(content)
        self.digest.update(content)
        self.size += len(content)


def _blocks(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (values[start : start + _BLOCK] for start in range(0, len(values), _BLOCK))
