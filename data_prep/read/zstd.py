"""Zstandard files as a stream that notices when they were cut short."""

from __future__ import annotations

import io
from typing import IO, Any

import zstandard

_CHUNK = 1 << 20


class ZstdReader(io.RawIOBase):
    """Unpacks frame after frame.

    Raises:
        EOFError: the last frame isn't whole. (zstandard's own reader would end as if it were.)
        zstandard.ZstdError: the bytes aren't Zstandard.
    """

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._frame: Any = None
        self._unused = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and self._fill():
            pass
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _fill(self) -> bool:
        """Unpacks a chunk; False at the end of the file."""
        chunk = self._unused or self._source.read(_CHUNK)
        self._unused = b""
        if not chunk:
            if self._frame is not None:
                raise EOFError("the last Zstandard frame isn't whole")
            return False
        if self._frame is None:
            self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._ready = memoryview(self._frame.decompress(chunk))
        if self._frame.eof:
            self._unused = self._frame.unused_data
            self._frame = None
        return True

    def close(self) -> None:
        self._source.close()
        super().close()
