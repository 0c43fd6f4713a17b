"""The compiled part of MinHash; see `signatures`."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from data_prep.words.kernel import finish

_compiled = numba.njit(cache=True, nogil=True)
_MIX = np.uint32(0x2C1B3C6D)
_SHIFT, _SHIFT_MORE = np.uint32(15), np.uint32(12)
_HALF = np.uint64(32)
_BYTE = np.uint32(0xFF)


@_compiled
def minima(shingles: NDArray[np.uint64], seeds: NDArray[np.uint32], factors: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The smallest value of each hash function over the shingles. shape (hashes,)"""
    found = np.full(len(seeds), 0xFFFFFFFF, np.uint32)
    for shingle in shingles:
        half = np.uint32(shingle >> _HALF)
        for function in range(len(seeds)):  # 32 bits throughout, so that the compiler makes vectors of it
            value = np.uint32((half ^ seeds[function]) * factors[function])
            value = np.uint32((value ^ (value >> _SHIFT)) * _MIX)
            value = np.uint32(value ^ (value >> _SHIFT_MORE))
            found[function] = min(found[function], value)
    return found


@_compiled
def keys_and_sketch(values: NDArray[np.uint32], bands: int) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """A key for each band of values, and the last byte of each value."""
    keys, sketch = np.empty(bands, np.uint64), np.empty(len(values), np.uint8)
    rows = len(values) // bands
    for band in range(bands):
        state = np.uint64(band)
        for row in range(rows):
            state = finish(state ^ np.uint64(values[band * rows + row])) + np.uint64(row + 1)
        keys[band] = finish(state)
    for place in range(len(values)):
        sketch[place] = np.uint8(values[place] & _BYTE)
    return keys, sketch


@_compiled
def near_earlier(
    starts: NDArray[np.int64], sketches: NDArray[np.uint8], least: int, most_compared: int
) -> NDArray[np.bool_]:
    """Which documents agree with an earlier one of their group in at least `least` bytes of the sketch.

    Group g is the rows starts[g] ... starts[g + 1] - 1. A document is compared with those of its group that agreed
    with no earlier one, the first `most_compared` of them.
    """
    near = np.zeros(len(sketches), np.bool_)
    leaders = np.empty(most_compared, np.int64)
    for group in range(len(starts) - 1):
        count = 0
        for row in range(starts[group], starts[group + 1]):
            for leader in leaders[:count]:
                agreed = 0
                for place in range(sketches.shape[1]):
                    agreed += sketches[row, place] == sketches[leader, place]
                if agreed >= least:
                    near[row] = True
                    break
            if not near[row] and count < most_compared:
                leaders[count] = row
                count += 1
    return near
