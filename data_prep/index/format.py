"""The layout of .idx.

| part | type |
|---|---|
| magic `MMIDIDX\\0\\0` | 9 bytes |
| version 1 | uint64 |
| code of the token type | uint8 |
| number of sequences | uint64 |
| number of document boundaries | uint64 |
| length of each sequence, in tokens | int32 each |
| offset of each sequence in .bin, in bytes | int64 each |
| document boundaries: index of the first sequence of each, and the end | int64 each |

Little-endian. A document is one sequence, except in packed files: there a document is a pack and its sequences are the
pieces. The files are the same, byte for byte, as those of megatron-core's `IndexedDatasetBuilder`.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = b"MMIDIDX\x00\x00"
VERSION = 1
DTYPES: dict[int, type[np.generic]] = {1: np.uint8, 2: np.int8, 3: np.int16, 4: np.int32, 5: np.int64, 8: np.uint16}
CODES = {np.dtype(dtype): code for code, dtype in DTYPES.items()}
HEADER = struct.Struct("<QBQQ")
HEADER_BYTES = len(MAGIC) + HEADER.size


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """uint16 where the vocabulary fits, else int32; Megatron's own rule."""
    return np.dtype(np.uint16 if vocab_size < 65_500 else np.int32)


def header(dtype: np.dtype[Any], sequences: int, boundaries: int) -> bytes:
    """The first 34 bytes of .idx."""
    return MAGIC + HEADER.pack(VERSION, CODES[dtype], sequences, boundaries)


def bin_path(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".bin")


def idx_path(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".idx")
