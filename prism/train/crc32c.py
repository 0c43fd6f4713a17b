"""CRC-32C (Castagnoli; RFC 3720, appendix B.4) of many bytes at once, with numpy.

A CRC that starts from zero is linear: it is the XOR of what each byte alone contributes, which depends on the byte and
on how many bytes follow it. A start from all ones equals a start from zero with the first four bytes inverted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78


class Crc32c:
    """Remembers contributions, which take 1 KiB for each byte of the longest message so far."""

    def __init__(self) -> None:
        self._table = _of_last_byte()[None]  # (bytes that follow, byte)

    def __call__(self, data: bytes) -> int:
        """Of at least four bytes."""
        size = len(data)
        self._grow(size)
        own = np.frombuffer(data, np.uint8).copy()
        own[:4] ^= 0xFF
        return int(np.bitwise_xor.reduce(self._table[np.arange(size - 1, -1, -1), own])) ^ 0xFFFFFFFF

    def _grow(self, size: int) -> None:
        known = len(self._table)
        if size <= known:
            return
        table = np.empty((max(size, 2 * known), 256), np.uint32)
        table[:known] = self._table
        for follow in range(known, len(table)):
            before = table[follow - 1]
            table[follow] = table[0][before & 0xFF] ^ (before >> 8)
        self._table = table


def _of_last_byte() -> NDArray[np.uint32]:
    crc = np.arange(256, dtype=np.uint32)
    for _bit in range(8):
        crc = np.where(crc & 1, (crc >> 1) ^ np.uint32(_POLYNOMIAL), crc >> 1)
    return crc
