"""Scalars in TensorBoard's file format, written without TensorBoard.

A file is a sequence of TFRecords, each an `Event` in protocol buffers' wire format:

| bytes of a record | content |
|---|---|
| 8 | length, little-endian |
| 4 | masked CRC-32C of these 8 |
| length | the event |
| 4 | masked CRC-32C of the event |

| field of `Event` | type | here |
|---|---|---|
| 1 wall_time | double | seconds since 1970 |
| 2 step | varint | |
| 3 file_version | string | `brain.Event:2`, in the first event |
| 5 summary | `Summary`: repeated 1 value: 1 tag (string), 2 simple_value (float) | a step's scalars |
| 7 session_log | `SessionLog`: 1 status (varint), 1 is START | after a resume: readers drop events from `step` on |

Definitions: tensorboard/compat/proto/event.proto and summary.proto.
"""

from __future__ import annotations

import math
import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from prism.train.crc32c import Crc32c

_VERSION = b"brain.Event:2"
_DOUBLE_1, _VARINT_2, _BYTES_3, _BYTES_5, _BYTES_7 = b"\x09", b"\x10", b"\x1a", b"\x2a", b"\x3a"
_TAG, _SIMPLE_VALUE, _VALUE = b"\x0a", b"\x15", b"\x0a"
_START = b"\x08\x01"
_FLUSH_EVERY_S = 5.0
_FLOAT_MAX = 3.4028234663852886e38
_crc32c = Crc32c()


class EventFile:
    """A new event file in `directory`; TensorBoard shows all files of a directory as one run.

    Args:
        first_step: events of this step and later, which an earlier process wrote, no longer count.
    """

    def __init__(self, directory: Path, first_step: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        now = time.time()
        # Readers take files in the order of their names.
        name = f"events.out.tfevents.{now:017.6f}.{socket.gethostname()}.{os.getpid()}"
        self._file = (directory / name).open("wb")
        self._tags: dict[str, bytes] = {}
        self._flushed = time.monotonic()
        self._write(event(now, 0, version=True))
        self._write(event(now, first_step, start=True))
        self._file.flush()

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Adds the scalars of `step`, by tag; they are on disk after some seconds."""
        self._write(event(time.time(), step, b"".join(self._value(tag, value) for tag, value in scalars.items())))
        if time.monotonic() - self._flushed >= _FLUSH_EVERY_S:
            self._file.flush()
            self._flushed = time.monotonic()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> EventFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _value(self, tag: str, value: float) -> bytes:
        head = self._tags.get(tag)
        if head is None:
            name = _TAG + _sized(tag.encode())
            head = self._tags[tag] = _VALUE + _varint(len(name) + 5) + name + _SIMPLE_VALUE
        fits = max(-_FLOAT_MAX, min(_FLOAT_MAX, value)) if math.isfinite(value) else value
        return head + struct.pack("<f", fits)

    def _write(self, data: bytes) -> None:
        length = struct.pack("<Q", len(data))
        self._file.write(length + _masked_crc(length) + data + _masked_crc(data))


def event(wall_time: float, step: int, values: bytes = b"", *, version: bool = False, start: bool = False) -> bytes:
    """An `Event`: of the file's version, of a start at `step`, or of a step's encoded values."""
    data = _DOUBLE_1 + struct.pack("<d", wall_time)
    if step:
        data += _VARINT_2 + _varint(step)
    if version:
        data += _BYTES_3 + _sized(_VERSION)
    if values:
        data += _BYTES_5 + _sized(values)
    if start:
        data += _BYTES_7 + _sized(_START)
    return data


def _masked_crc(data: bytes) -> bytes:
    crc = _crc32c(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _sized(data: bytes) -> bytes:
    return _varint(len(data)) + data


def _varint(number: int) -> bytes:
    groups = []
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])
