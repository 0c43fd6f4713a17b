"""Rows in blocks that stay in a core's cache, for chains of elementwise steps.

A CPU core writes to memory several times slower than to its cache. A chain of steps over a large tensor goes to memory
and back at each of them; block by block, only the first read and the last write do.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

_BYTES = 512 * 1024


def row_blocks(x: Tensor) -> Iterator[slice]:
    """Slices of x's first axis that cover it, of about half a MiB each; one slice where x isn't on a CPU."""
    rows = x.shape[0]
    row_bytes = x.nbytes // max(rows, 1)
    size = rows if x.device.type != "cpu" else max(1, _BYTES // max(row_bytes, 1))
    for start in range(0, rows, max(size, 1)):
        yield slice(start, start + size)


def in_cache(x: Tensor) -> bool:
    """Whether x is one block."""
    return x.nbytes <= _BYTES
