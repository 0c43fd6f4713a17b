"""Every entry of an index and every token looked at, whoever wrote the files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.errors import DataError
from data_prep.index.format import bin_path, idx_path
from data_prep.index.reader import REMEDY, IndexedFile

_BLOCK = 1 << 22


@dataclass(frozen=True)
class IndexReport:
    """What a whole pair holds. `documents_without_end` counts those whose last token isn't the end token."""

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
        DataError: the first entry that is wrong, by number.
    """
    file = IndexedFile(prefix)
    _check_sequences(file)
    _check_boundaries(file)
    largest = -1
    for start in range(0, file.tokens, _BLOCK):
        block = file.read(start, _BLOCK)
        top, low = int(block.max()), int(block.min())
        largest = max(largest, top)
        if low < 0 or (vocab_size is not None and top >= vocab_size):
            wrong = (block < 0) | (block >= (vocab_size or top + 1))
            place = start + int(np.flatnonzero(wrong)[0])
            raise DataError(
                f"token {place:,} is {int(file.read(place, 1)[0])}, outside of the vocabulary ({vocab_size or 'any'})",
                place=str(bin_path(prefix)),
                remedy="tokenise the source with this tokenizer",
            )
    return IndexReport(
        documents=file.documents,
        sequences=len(file),
        tokens=file.tokens,
        token_type=file.dtype.name,
        largest_token=largest,
        empty_sequences=int(np.count_nonzero(file.lengths == 0)),
        documents_without_end=_without_end(file, end_id),
    )


def _check_sequences(file: IndexedFile) -> None:
    expected = 0
    for start in range(0, len(file), _BLOCK):
        lengths = file.lengths[start : start + _BLOCK].astype(np.int64)
        offsets = file.offsets[start : start + _BLOCK]
        _refuse(file, "sequence", start, lengths < 0, "has a length below 0")
        ends = expected + np.cumsum(lengths) * file.dtype.itemsize
        begins = ends - lengths * file.dtype.itemsize
        _refuse(file, "sequence", start, offsets != begins, "doesn't begin where the one before ends")
        expected = int(ends[-1])
    size = bin_path(file.prefix).stat().st_size
    if size != expected:
        raise DataError(f"{size:,} bytes, the index says {expected:,}", place=str(bin_path(file.prefix)), remedy=REMEDY)


def _check_boundaries(file: IndexedFile) -> None:
    bounds = file.boundaries
    if not len(bounds) or int(bounds[0]) != 0 or int(bounds[-1]) != len(file):
        shown = f"{int(bounds[0])} to {int(bounds[-1])}" if len(bounds) else "none"
        raise DataError(
            f"document boundaries go from {shown}, there are {len(file):,} sequences",
            place=str(idx_path(file.prefix)),
            remedy=REMEDY,
        )
    for start in range(0, len(bounds) - 1, _BLOCK):
        part = bounds[start : start + _BLOCK + 1]
        _refuse(file, "document", start, np.diff(part) < 0, "ends before it begins")


def _refuse(file: IndexedFile, what: str, start: int, wrong: np.ndarray, why: str) -> None:
    if wrong.any():
        number = start + int(np.flatnonzero(wrong)[0])
        raise DataError(f"{what} {number:,} {why}", place=str(idx_path(file.prefix)), remedy=REMEDY)


def _without_end(file: IndexedFile, end_id: int | None) -> int:
    if end_id is None:
        return 0
    missing = 0
    for start in range(0, file.documents, _BLOCK):
        last = file.boundaries[start + 1 : start + 1 + _BLOCK] - 1
        last = last[(last >= 0) & (last >= file.boundaries[start : start + len(last)])]
        ends = file.offsets[last] // file.dtype.itemsize + file.lengths[last] - 1
        missing += int(np.count_nonzero(file.tokens_at(ends) != end_id))
    return missing
