"""Writes one .bin/.idx pair, document by document."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep.content_hash import Piece
from data_prep.files import sync_directory
from data_prep.index.format import bin_path, header, idx_path, token_dtype

_BUFFER = 1 << 20

Tokens = Sequence[int] | NDArray[Any]


@dataclass(frozen=True)
class Written:
    """What a writer left: counts, and the hash of each file."""

    documents: int
    sequences: int
    tokens: int
    bin: Piece
    idx: Piece


class IndexWriter:
    """Writes documents one after the other; memory grows by 12 bytes a sequence. Use as a context manager.

    Both files get their names only when everything is on disk; after an error there is neither.
    """

    def __init__(self, prefix: Path, vocab_size: int, dtype: np.dtype[Any] | None = None) -> None:
        self.prefix = prefix
        self.documents = 0
        self.tokens = 0
        self.written: Written | None = None
        self._dtype = dtype if dtype is not None else token_dtype(vocab_size)
        self._code = self._dtype.char
        self._lengths = array("i")
        self._boundaries = array("q", [0])
        self._buffer = bytearray()
        self._hash = hashlib.sha256()
        prefix.parent.mkdir(parents=True, exist_ok=True)
        self._bin = prefix.with_name(f".{prefix.name}.bin.{os.getpid()}.tmp")
        self._idx = prefix.with_name(f".{prefix.name}.idx.{os.getpid()}.tmp")
        self._handle = self._bin.open("wb", buffering=0)

    def add(self, tokens: Tokens) -> None:
        """Appends a document of one sequence.

        Raises:
            OverflowError: a token doesn't fit the vocabulary's type.
        """
        self._append(tokens)
        self._end_document()

    def add_document(self, pieces: Sequence[Tokens]) -> None:
        """Appends a document of several sequences, such as a pack."""
        for piece in pieces:
            self._append(piece)
        self._end_document()

    def _append(self, tokens: Tokens) -> None:
        if isinstance(tokens, list):
            # array takes a list's numbers in half the time that numpy needs
            self._buffer += array(self._code, tokens)
        elif len(tokens):
            self._buffer += _narrowed(np.asarray(tokens), self._dtype).tobytes()
        self._lengths.append(len(tokens))
        self.tokens += len(tokens)
        if len(self._buffer) >= _BUFFER:
            self._flush()

    def _end_document(self) -> None:
        self._boundaries.append(len(self._lengths))
        self.documents += 1

    def _flush(self) -> None:
        _write_all(self._handle, self._buffer)
        self._hash.update(self._buffer)
        self._buffer.clear()

    def __enter__(self) -> IndexWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
                os.fsync(self._handle.fileno())
                self._finish()
        finally:
            self._handle.close()
            self._bin.unlink(missing_ok=True)
            self._idx.unlink(missing_ok=True)

    def _finish(self) -> None:
        index = self._index()
        with self._idx.open("wb") as handle:
            handle.write(index)
            handle.flush()
            os.fsync(handle.fileno())
        self._bin.replace(bin_path(self.prefix))
        self._idx.replace(idx_path(self.prefix))
        sync_directory(self.prefix.parent)
        self.written = Written(
            self.documents,
            len(self._lengths),
            self.tokens,
            Piece(self.tokens * self._dtype.itemsize, self._hash.hexdigest()),
            Piece(len(index), hashlib.sha256(index).hexdigest()),
        )

    def _index(self) -> bytes:
        lengths = np.frombuffer(self._lengths, np.int32) if self._lengths else np.empty(0, np.int32)
        offsets = np.zeros(len(lengths), dtype=np.int64)
        np.cumsum(lengths[:-1], out=offsets[1:], dtype=np.int64)
        offsets *= self._dtype.itemsize
        parts = (header(self._dtype, len(lengths), len(self._boundaries)), lengths.tobytes(), offsets.tobytes())
        return b"".join((*parts, self._boundaries.tobytes()))


def _narrowed(tokens: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if tokens.dtype != dtype and int(tokens.max()) > np.iinfo(dtype).max:
        raise OverflowError(f"token {int(tokens.max())} doesn't fit {dtype}")
    return tokens.astype(dtype, copy=False)


def _write_all(handle: Any, content: bytearray) -> None:
    view = memoryview(content)
    try:
        while len(view):
            view = view[handle.write(view) :]
    finally:
        view.release()
