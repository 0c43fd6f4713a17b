"""Figures of a tokenised source: lengths, bytes per token, duplicates."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.card import card_path, read_card
from data_prep.index import IndexedFile

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

_MOST_HASHED = 5_000_000


@dataclass(frozen=True)
class SourceStatistics:
    """Lengths are in tokens.

    quantiles: length that so many of the documents don't exceed.
    histogram: (least, most, documents, tokens), a bin a power of two.
    bytes_per_token: of UTF-8; None without a card.
    duplicates: documents whose tokens another document has too, but for one; `hashed` documents were compared.
    """

    documents: int
    sequences: int
    tokens: int
    mean: float
    shortest: int
    longest: int
    quantiles: dict[float, int]
    histogram: tuple[tuple[int, int, int, int], ...]
    bytes_per_token: float | None
    duplicates: int
    hashed: int


def statistics_of(prefix: Path) -> SourceStatistics:
    """Reads every length, and the tokens of up to 5 million documents for the duplicates.

    Raises:
        DataError: the files are missing or damaged.
    """
    file = IndexedFile(prefix)
    lengths = document_lengths(file)
    text_bytes = read_card(prefix).text_bytes if card_path(prefix).is_file() else None
    hashed = min(len(lengths), _MOST_HASHED)
    return SourceStatistics(
        documents=file.documents,
        sequences=len(file),
        tokens=file.tokens,
        mean=float(lengths.mean()) if len(lengths) else 0.0,
        shortest=int(lengths.min()) if len(lengths) else 0,
        longest=int(lengths.max(initial=0)),
        quantiles=_quantiles(lengths),
        histogram=_histogram(lengths),
        bytes_per_token=text_bytes / file.tokens if text_bytes is not None and file.tokens else None,
        duplicates=_duplicates(file, hashed),
        hashed=hashed,
    )


def document_lengths(file: IndexedFile) -> NDArray[np.int64]:
    """Tokens of each document: (documents,)."""
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(file.lengths, dtype=np.int64)])
    return np.diff(ends[file.boundaries]) if file.documents else np.empty(0, np.int64)


def _quantiles(lengths: NDArray[np.int64]) -> dict[float, int]:
    if not len(lengths):
        return {}
    found = np.quantile(lengths, QUANTILES, method="lower")
    return {share: int(value) for share, value in zip(QUANTILES, found, strict=True)}


def _histogram(lengths: NDArray[np.int64]) -> tuple[tuple[int, int, int, int], ...]:
    """Bins 0, 1, 2-3, 4-7 ..."""
    if not len(lengths):
        return ()
    bins = np.ceil(np.log2(lengths + 1)).astype(np.int64)
    documents = np.bincount(bins)
    tokens = np.bincount(bins, weights=lengths)
    edges = [(0, 0), *((1 << power, (2 << power) - 1) for power in range(len(documents) - 1))]
    return tuple(
        (least, most, int(count), int(total))
        for (least, most), count, total in zip(edges, documents, tokens, strict=True)
        if count
    )


def _duplicates(file: IndexedFile, documents: int) -> int:
    hashes = np.empty((documents, 2), np.uint64)
    for number in range(documents):
        digest = hashlib.blake2b(digest_size=16)
        for piece in file.document(number):
            digest.update(piece.tobytes())
        hashes[number] = np.frombuffer(digest.digest(), np.uint64)
    return documents - len(np.unique(hashes, axis=0))
