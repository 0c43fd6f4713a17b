"""Hashes of large files in pieces, so that all cores check one file and a file's parts keep the hashes they got when
they were written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from data_prep.errors import DataError
from data_prep.files import fingerprint

PIECE_BYTES = 256 << 20
"""Size of the pieces of a file whose parts aren't known."""

_BLOCK = 4 << 20


@dataclass(frozen=True)
class Piece:
    """`size` bytes of a file, and their SHA-256."""

    size: int
    sha256: str


def combined(pieces: Iterable[Piece]) -> str:
    """One hash of a file: SHA-256 over its pieces' sizes and hashes. Empty pieces don't count."""
    return fingerprint([[piece.size, piece.sha256] for piece in pieces if piece.size])


def hash_file(path: Path, piece_bytes: int = PIECE_BYTES) -> list[Piece]:
    """The file in pieces of `piece_bytes`, hashed on all cores."""
    total = path.stat().st_size
    sizes = [min(piece_bytes, total - start) for start in range(0, total, piece_bytes)]
    return _hash(path, sizes)


def check_file(path: Path, pieces: Sequence[Piece], remedy: str) -> None:
    """Raises DataError when `path` is missing, has another size, or a piece has another hash; names the bytes."""
    if not path.is_file():
        raise DataError("the file is missing", place=str(path), remedy=remedy)
    size, expected = path.stat().st_size, sum(piece.size for piece in pieces)
    if size != expected:
        raise DataError(f"the file changed: {size:,} bytes, {expected:,} expected", place=str(path), remedy=remedy)
    start = 0
    for wanted, found in zip(pieces, _hash(path, [piece.size for piece in pieces]), strict=True):
        if wanted != found:
            raise DataError(
                f"the file changed between bytes {start:,} and {start + wanted.size:,} "
                f"(expected {wanted.sha256[:12]}, found {found.sha256[:12]})",
                place=str(path),
                remedy=remedy,
            )
        start += wanted.size


def _hash(path: Path, sizes: Sequence[int]) -> list[Piece]:
    starts = list(accumulate(sizes, initial=0))[:-1]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda place: _hash_range(path, *place), zip(starts, sizes, strict=True)))


def _hash_range(path: Path, start: int, size: int) -> Piece:
    digest = hashlib.sha256()
    left = size
    with path.open("rb", buffering=0) as handle:
        handle.seek(start)
        while left:
            block = handle.read(min(_BLOCK, left))
            if not block:
                break
            digest.update(block)
            left -= len(block)
    return Piece(size - left, digest.hexdigest())
