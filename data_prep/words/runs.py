"""Hashes of runs of words: any length at any place in constant time, from one pass over the words."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from data_prep.words.kernel import finish

Hashes = NDArray[np.uint64]
_compiled = numba.njit(cache=True, nogil=True)
_BASE = np.uint64(0x5851F42D4C957F2D)


@_compiled
def prefixes(hashes: Hashes) -> Hashes:
    """The polynomial hash of every beginning of the words. shape (words + 1,)"""
    found = np.empty(len(hashes) + 1, np.uint64)
    found[0] = 0
    for place in range(len(hashes)):
        found[place + 1] = found[place] * _BASE + hashes[place]
    return found


@_compiled
def power(length: int) -> np.uint64:
    """What `run_hash` takes for runs of `length` words."""
    result, factor = np.uint64(1), _BASE
    while length:
        if length & 1:
            result *= factor
        factor *= factor
        length >>= 1
    return result


@_compiled
def run_hash(begins: Hashes, first: int, length: int, power_of_length: np.uint64) -> np.uint64:
    """Hash of the words first ... first + length - 1, from their `prefixes`."""
    return finish(begins[first + length] - begins[first] * power_of_length)


@_compiled
def hash_between(begins: Hashes, first: int, length: int) -> np.uint64:
    """`run_hash` for a length that comes once."""
    return run_hash(begins, first, length, power(length))


@_compiled
def run_hashes(hashes: Hashes, length: int) -> Hashes:
    """Hashes of all runs of `length` words; of all words together when there are fewer. No word: none."""
    if len(hashes) == 0:
        return np.empty(0, np.uint64)
    length = min(length, len(hashes))
    begins, factor = prefixes(hashes), power(length)
    found = np.empty(len(hashes) - length + 1, np.uint64)
    for first in range(len(found)):
        found[first] = run_hash(begins, first, length, factor)
    return found
