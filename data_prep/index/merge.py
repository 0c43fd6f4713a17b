"""Several .bin/.idx pairs into one: tokens are copied by the kernel, the index is streamed."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from data_prep.content_hash import Piece
from data_prep.errors import DataError
from data_prep.files import sync_directory
from data_prep.index.format import bin_path, header, idx_path
from data_prep.index.reader import IndexedFile

_BLOCK = 1 << 20
"""Entries of an index that are held at once."""


def merge_indexes(shards: Sequence[Path], prefix: Path) -> Piece:
    """Writes the documents of `shards`, in their order, to `prefix`; returns the hash of its .idx.

    Memory is bounded whatever the shards hold. The files get their names when both are on disk.

    Raises:
        DataError: no shard, a shard is damaged, or their token types differ.
    """
    if not shards:
        raise DataError("no shard to merge", place=str(prefix), remedy="name at least one .bin/.idx pair")
    files = [IndexedFile(shard) for shard in shards]
    for file in files:
        if file.dtype != files[0].dtype:
            raise DataError(
                f"tokens are {file.dtype}, those of {shards[0].name} are {files[0].dtype}",
                place=str(bin_path(file.prefix)),
                remedy="tokenise all shards with one tokenizer",
            )
    prefix.parent.mkdir(parents=True, exist_ok=True)
    tokens = prefix.with_name(f".{prefix.name}.bin.{os.getpid()}.tmp")
    index = prefix.with_name(f".{prefix.name}.idx.{os.getpid()}.tmp")
    try:
        with tokens.open("wb") as out:
            for file in files:
                _append_file(out, bin_path(file.prefix))
            out.flush()
            os.fsync(out.fileno())
        with index.open("wb") as out:
            piece = _write_index(out, files)
            out.flush()
            os.fsync(out.fileno())
        tokens.replace(bin_path(prefix))
        index.replace(idx_path(prefix))
        sync_directory(prefix.parent)
    finally:
        tokens.unlink(missing_ok=True)
        index.unlink(missing_ok=True)
    return piece


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


def _write_index(out: IO[bytes], files: Sequence[IndexedFile]) -> Piece:
    dtype = files[0].dtype
    sequences = sum(len(file.lengths) for file in files)
    documents = sum(file.documents for file in files)
    hashed = _Hashing(out)
    hashed.write(header(dtype, sequences, documents + 1))
    for file in files:
        for block in _blocks(file.lengths):
            hashed.write(block.tobytes())
    start = 0
    for file in files:
        for block in _blocks(file.lengths):
            ends = np.cumsum(block, dtype=np.int64)
            hashed.write(((start + ends - block) * dtype.itemsize).tobytes())
            start += int(ends[-1])
    hashed.write(np.zeros(1, np.int64).tobytes())
    first = 0
    for file in files:
        for block in _blocks(file.boundaries[1:]):
            hashed.write((block + first).tobytes())
        first += len(file.lengths)
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


def _blocks(values: NDArray[Any]) -> list[NDArray[Any]]:
    return [values[start : start + _BLOCK] for start in range(0, len(values), _BLOCK)]
