"""What documents are compared by: keys that equal documents share, and for near-duplicates a sketch.

exact: one key, of the text without white space around it (64 bits: of a billion documents, 0.03 are expected to be
dropped for a key that another document has by chance).

minhash: the shingles are runs of 5 words (`words`). 192 hash functions take their smallest value over the shingles;
two documents agree in each with the chance of their Jaccard similarity J. The values make 24 keys of 8, so documents
share a key with chance 1 - (1 - J^8)^24: 0.988 at J = 0.8. Documents that share one are near-duplicates when their
sketches (the last byte of each value) agree as much as documents of J >= 0.72 do. In all, a pair is found with chance
0.985 at J = 0.8, 0.25 at 0.7, 2e-4 at 0.6 and below 1e-9 at 0.5, where the keys alone would let 9% through.

Broder, On the resemblance and containment of documents (1997). datatrove has MinHash steps too; they ask for spaCy,
write five times as much, open a file for every unit at once, keep whichever document of a cluster and don't check
what the keys propose.
"""

from __future__ import annotations

import hashlib
import math
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from data_prep.dedup.minhash_kernel import keys_and_sketch, minima
from data_prep.words.runs import run_hashes
from data_prep.words.split import split_words

Kind = Literal["exact", "minhash"]
SHINGLE_WORDS = 5
BANDS = 24
ROWS = 8
HASHES = BANDS * ROWS
LEAST_SIMILARITY = 0.72
LEAST_AGREEMENT = math.ceil(HASHES * (LEAST_SIMILARITY + (1 - LEAST_SIMILARITY) / 256))
"""Bytes in which the sketches of near-duplicates agree; one in 256 agrees by chance."""

Keys = NDArray[np.uint64]
Sketch = NDArray[np.uint8]


class Signer(Protocol):
    """`keys` a document, and bytes of sketch (0: equal keys are enough)."""

    keys: int
    sketch: int

    def sign(self, text: str) -> tuple[Keys, Sketch] | None:
        """The document's keys and sketch; None when it has nothing to compare."""


def signer(kind: Kind) -> Signer:
    return Exact() if kind == "exact" else MinHash()


class Exact:
    """Documents are equal when their text is, but for white space around it; inside it may matter, as in code."""

    keys, sketch = 1, 0

    def sign(self, text: str) -> tuple[Keys, Sketch] | None:
        stripped = text.strip()
        if not stripped:
            return None
        digest = hashlib.blake2b(stripped.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return np.frombuffer(digest, "<u8"), np.empty(0, np.uint8)


class MinHash:
    """Documents are near-duplicates when they share most of their runs of five words."""

    keys, sketch = BANDS, HASHES

    def __init__(self) -> None:
        generator = np.random.RandomState(1)  # its numbers stay the same over numpy's releases
        self._seeds = generator.randint(0, 1 << 32, HASHES, np.uint32)
        self._factors = generator.randint(0, 1 << 32, HASHES, np.uint32) | np.uint32(1)

    def sign(self, text: str) -> tuple[Keys, Sketch] | None:
        shingles = run_hashes(split_words(text).hashes, SHINGLE_WORDS)
        if not len(shingles):
            return None
        return keys_and_sketch(minima(shingles, self._seeds, self._factors), BANDS)
