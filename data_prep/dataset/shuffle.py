"""Random orders that are computed, not stored: a keyed permutation of 0 .. n - 1 in constant memory."""

from __future__ import annotations

import hashlib

_MASK = (1 << 64) - 1
_ROUNDS = 4


class Permutation:
    """A permutation of `size` numbers, fixed by `key`; `permutation[i]` is where i goes.

    A Feistel network over the smallest even number of bits that holds `size`; results beyond `size` are sent through it
    again (cycle walking), at most four times on average.
    """

    def __init__(self, size: int, *key: object) -> None:
        digest = hashlib.blake2b(repr(key).encode(), digest_size=8 * _ROUNDS).digest()
        self._keys = [int.from_bytes(digest[8 * n : 8 * n + 8], "little") for n in range(_ROUNDS)]
        self._half = max(1, ((size - 1).bit_length() + 1) // 2)
        self._mask = (1 << self._half) - 1
        self.size = size

    def __getitem__(self, index: int) -> int:
        if not 0 <= index < self.size:
            raise IndexError(index)
        while True:
            index = self._once(index)
            if index < self.size:
                return index

    def _once(self, value: int) -> int:
        left, right = value >> self._half, value & self._mask
        for key in self._keys:
            left, right = right, left ^ (_mixed(right ^ key) & self._mask)
        return (left << self._half) | right


def _mixed(value: int) -> int:
    """The finaliser of SplitMix64: every bit of the result depends on every bit of `value`."""
    value = (value * 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def draw(limit: int, *key: object) -> int:
    """A number from 0 to limit - 1, fixed by `key`."""
    return int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=8).digest(), "little") % limit
