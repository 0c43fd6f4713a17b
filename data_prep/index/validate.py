"""Every entry of an index and every token looked at, whoever wrote the files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.errors import DataError
from data_prep.index.format import bin_path, idx_path
from data_prep.index.reader import REMEDY, IndexedFile

_BLOCK = 1 << 22
"""Entries or tokens that are held at once."""


@dataclass(frozen=True)
class IndexReport:
    """What a whole pair holds.

    largest_token: -1 where there is no token.
    documents_without_end: those whose last token isn't the end token, empty ones among them; 0 if none was given.
    """

    documents: int
    sequences: int
    tokens: int
    token_type: str
    largest_token: int
    empty_sequences: int
    documents_without_end: int


def validate_index(prefix: Path, *, vocab_size: int | None = None, end_id: int | None = None) -> IndexReport:
    """Checks counts, lengths, offsets, document boundaries and the range of tokens, in bounded memory.

    Raises:
        DataError: the first entry or token that is wrong, by number.
    """
    file = IndexedFile(prefix)
    check_index(file)
    largest = _check_tokens(file, vocab_size)
    return IndexReport(
        documents=file.documents,
        sequences=len(file),
        tokens=file.tokens,
        token_type=file.dtype.name,
        largest_token=largest,
        empty_sequences=int(np.count_nonzero(file.lengths == 0)),
        documents_without_end=0 if end_id is None else _without_end(file, end_id),
    )


def check_index(file: IndexedFile) -> None:
    """Checks that sequences lie one behind the other through all of .bin, and documents through all sequences.

    Raises:
        DataError: the first entry that is wrong, by number.
    """
    _check_sequences(file)
    _check_documents(file)


def _check_sequences(file: IndexedFile) -> None:
    expected = 0
    for start in range(0, len(file), _BLOCK):
        lengths = file.lengths[start : start + _BLOCK].astype(np.int64)
        _refuse(file, "sequence", start, lengths < 0, "has a length below 0")
        ends = expected + np.cumsum(lengths) * file.dtype.itemsize
        begins = ends - lengths * file.dtype.itemsize
        wrong = file.offsets[start : start + _BLOCK] != begins
        _refuse(file, "sequence", start, wrong, "doesn't begin where the one before ends")
        expected = int(ends[-1])
    size = bin_path(file.prefix).stat().st_size
    if size != expected:
        raise DataError(f"{size:,} bytes, the index says {expected:,}", place=str(bin_path(file.prefix)), remedy=REMEDY)


def _check_documents(file: IndexedFile) -> None:
    bounds = file.boundaries
    if not len(bounds) or int(bounds[0]) != 0 or int(bounds[-1]) != len(file):
        shown = f"go from {int(bounds[0]):,} to {int(bounds[-1]):,}" if len(bounds) else "are missing"
        raise DataError(
            f"document boundaries {shown}, there are {len(file):,} sequences",
            place=str(idx_path(file.prefix)),
            remedy=REMEDY,
        )
    for start in range(0, file.documents, _BLOCK):
        part = bounds[start : start + _BLOCK + 1]
        _refuse(file, "document", start, np.diff(part) < 0, "ends before it begins")


def _refuse(file: IndexedFile, what: str, start: int, wrong: NDArray[np.bool_], why: str) -> None:
    if wrong.any():
        number = start + int(np.flatnonzero(wrong)[0])
        raise DataError(f"{what} {number:,} {why}", place=str(idx_path(file.prefix)), remedy=REMEDY)


def _check_tokens(file: IndexedFile, vocab_size: int | None) -> int:
    """The largest token."""
    largest = -1
    for start in range(0, file.tokens, _BLOCK):
        block = file.read(start, _BLOCK)
        wrong = block < 0 if vocab_size is None else (block < 0) | (block >= vocab_size)
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            allowed = "below 0" if vocab_size is None else f"not one of the {vocab_size:,} of the vocabulary"
            raise DataError(
                f"token {start + first:,} is {int(block[first])}, {allowed}",
                place=str(bin_path(file.prefix)),
                remedy="tokenise the source again with this tokenizer",
            )
        largest = max(largest, int(block.max()))
    return largest


def _without_end(file: IndexedFile, end_id: int) -> int:
    """Documents that are empty or whose last token is another. Expects a checked index."""
    missing = 0
    for start in range(0, file.documents, _BLOCK):
        bounds = file.boundaries[start : start + _BLOCK + 1]
        edges = np.full(len(bounds), file.tokens, np.int64)
        inside = bounds < len(file)
        edges[inside] = file.offsets[bounds[inside]] // file.dtype.itemsize
        filled = edges[1:] > edges[:-1]
        missing += len(filled) - int(np.count_nonzero(file.tokens_at(edges[1:][filled] - 1) == end_id))
    return missing
