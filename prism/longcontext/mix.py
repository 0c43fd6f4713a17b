"""The arithmetic of a linear merge: W = w x base + (1 - w) x trained (paper section 8.1, w = 0.15)."""

from __future__ import annotations

import math
import threading
from collections.abc import Collection
from dataclasses import dataclass, field

import torch
from torch import Tensor

from prism.errors import BadInput
from prism.formats.weights import UNIT_BYTES, Weights, unit_rows

_BLOCK_UNITS = 8
_BLOCK = 1 << 16
"""Values that are mixed at a time: in float32 they stay in a core's second-level cache."""


def mix(base: Tensor, trained: Tensor, base_weight: float) -> None:
    """Leaves base_weight x base + (1 - base_weight) x trained in `trained`, both contiguous and of one shape.

    In float32 (float64 where a tensor has that type), rounded once to `trained`'s type. Two products and a sum, as it
    is written: torch's lerp has another form, which is further off where the two cancel.
    """
    wide = torch.promote_types(torch.promote_types(base.dtype, trained.dtype), torch.float32)
    old, new = (torch.empty(min(_BLOCK, trained.numel()), dtype=wide) for _ in range(2))
    for source, target in zip(base.view(-1).split(_BLOCK), trained.view(-1).split(_BLOCK), strict=True):
        count = len(target)
        old[:count].copy_(source).mul_(base_weight)
        new[:count].copy_(target).mul_(1 - base_weight)
        target.copy_(new[:count].add_(old[:count]))


@dataclass(frozen=True)
class Mixture:
    """What lies between two checkpoints, in the second's types, read in any order and from any thread.

    Args:
        copied: names that are taken from `trained` as they are.
    """

    base: Weights
    trained: Weights
    base_weight: float
    copied: Collection[str] = ()
    _buffers: threading.local = field(default_factory=threading.local, compare=False)

    def read_into(self, name: str, first: int, tensor: Tensor) -> None:
        """Fills a contiguous tensor of `trained`'s type with mixed rows from `first` on.

        Rows that only `trained` has pad its vocabulary; they are copied.

        Raises:
            BadInput: a value isn't finite, or a file is damaged.
        """
        self.trained.read_into(name, first, tensor)
        if name in self.copied:
            return
        count = min(len(tensor), self.base.shape(name)[0] - first)
        if count <= 0:
            return
        old = self._buffer(self.base.dtype(name), (count, *tensor.shape[1:]))
        self.base.read_into(name, first, old)
        mix(old, tensor[:count], self.base_weight)
        if not _finite(tensor):
            raise self._not_finite(name, first, old, count)

    def _buffer(self, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
        """Memory of this thread, used again and again: fresh memory costs a page fault every 4 KiB."""
        size = math.prod(shape) * dtype.itemsize
        held: Tensor | None = getattr(self._buffers, "held", None)
        if held is None or held.numel() < size:
            held = torch.empty(max(size, UNIT_BYTES), dtype=torch.uint8)
            self._buffers.held = held
        return held[:size].view(dtype).view(shape)

    def _not_finite(self, name: str, first: int, old: Tensor, count: int) -> BadInput:
        """Says which of the two it comes from."""
        again = torch.empty(count, *old.shape[1:], dtype=self.trained.dtype(name))
        self.trained.read_into(name, first, again)
        place = next((side for side, found in ((self.base, old), (self.trained, again)) if not _finite(found)), None)
        return BadInput(
            f"{name} holds values that aren't finite (rows {first} to {first + count})",
            place=str(place.path if place else self.trained.path),
            remedy="merge an earlier checkpoint",
        )


def block_rows(shape: tuple[int, ...], dtype: torch.dtype) -> int:
    """Rows of a tensor that are written as one block of a torch_dist checkpoint."""
    return _BLOCK_UNITS * unit_rows(shape, dtype)


def _finite(tensor: Tensor) -> bool:
    low, high = torch.aminmax(tensor)
    return math.isfinite(low.item()) and math.isfinite(high.item())
