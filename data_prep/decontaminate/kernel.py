"""The compiled part of the search for questions."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from data_prep.words.runs import run_hash

Hashes = NDArray[np.uint64]
_compiled = numba.njit(cache=True, nogil=True)
_ONE, _WORD = np.uint64(1), np.uint64(63)
_WORD_BITS = np.uint64(6)


@_compiled
def make_filter(keys: Hashes, bits: int) -> Hashes:
    """A bitmap of 2^bits bits, one set by the first bits of each key: most runs are turned away by it."""
    found = np.zeros(1 << (bits - 6), np.uint64)
    shift = np.uint64(64 - bits)
    for key in keys:
        place = key >> shift
        found[place >> _WORD_BITS] |= _ONE << (place & _WORD)
    return found


@_compiled
def find_runs(
    begins: Hashes,
    lengths: NDArray[np.int64],
    powers: Hashes,
    keys: Hashes,
    bitmap: Hashes,
    bits: int,
    first: int,
    places: NDArray[np.int64],
    entries: NDArray[np.int64],
) -> tuple[int, int]:
    """Looks up the runs of words that begin at word `first` or later, of all `lengths`.

    Fills `places` with where a run in `keys` (sorted) begins, `entries` with the first key that equals it. Returns how
    many were found and the word to go on from; that is the number of words when all is done.
    """
    words, count, shift = len(begins) - 1, 0, np.uint64(64 - bits)
    for place in range(first, words):
        if count + len(lengths) > len(places):
            return count, place
        for kind in range(len(lengths)):
            if place + lengths[kind] > words:
                continue
            key = run_hash(begins, place, lengths[kind], powers[kind])
            spot = key >> shift
            if not bitmap[spot >> _WORD_BITS] >> (spot & _WORD) & _ONE:
                continue
            entry = np.searchsorted(keys, key)
            if entry < len(keys) and keys[entry] == key:
                places[count], entries[count] = place, entry
                count += 1
    return count, words
