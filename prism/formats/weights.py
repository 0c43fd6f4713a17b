"""What every kind of checkpoint offers to those who read its weights in rows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

UNIT_BYTES = 4 << 20
"""Rows are read, worked on and written so many bytes at a time."""


class Weights(Protocol):
    """The tensors of a checkpoint by name. Rows are the first dimension."""

    @property
    def path(self) -> Path: ...

    def names(self) -> list[str]: ...

    def __contains__(self, name: str) -> bool: ...

    def shape(self, name: str) -> tuple[int, ...]: ...

    def dtype(self, name: str) -> torch.dtype: ...

    def read_into(self, name: str, first: int, tensor: Tensor) -> None:
        """Fills a contiguous tensor of the stored type with the rows from `first` on. Called from several threads."""
        ...


def unit_rows(shape: tuple[int, ...], dtype: torch.dtype, unit_bytes: int = UNIT_BYTES) -> int:
    """Rows of a tensor that make about `unit_bytes`, at least one."""
    return max(1, unit_bytes // max(1, math.prod(shape[1:]) * dtype.itemsize))
