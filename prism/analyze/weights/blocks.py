"""Sums over blocks of two or more tensors, whatever types they have.

Two types are compared in the narrower one, to which the wider is rounded: what is left of a change is then what an
export would show. Beside that, everything that isn't bf16 is compared once more after rounding to bf16, because bf16's
spacing (0.4 to 0.8% of a weight) decides which small changes there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prism.analyze.weights.change import Change
from prism.analyze.weights.kernel import GROUP, add_change, add_change_bf16, add_relation
from prism.analyze.weights.relation import Relation

_NARROW = (torch.bfloat16, torch.float16)


def change_of(old: Tensor, new: Tensor, thresholds_percent: Sequence[float]) -> Change:
    """The change between two contiguous blocks of one shape, in the narrower of their types.

    A value that isn't finite makes a sum that isn't.
    """
    old, new = alike(old, new)
    sums, unchanged = np.zeros(2), np.zeros(len(thresholds_percent), np.int64)
    bf16 = old.dtype == torch.bfloat16
    add, first, second = (add_change_bf16, _bits(old), _bits(new)) if bf16 else (add_change, _floats(old), _floats(new))
    for start in range(0, max(1, len(unchanged)), GROUP):
        factors, counts = np.full(GROUP, -1.0), np.zeros(GROUP, np.int64)
        group = np.asarray(thresholds_percent[start : start + GROUP], dtype=np.float64) / 100
        factors[: len(group)] = group
        sums[:] = 0
        add(first, second, factors, sums, counts)
        unchanged[start : start + len(group)] = counts[: len(group)]
    return Change(float(sums[0]), float(sums[1]), old.numel(), tuple(map(int, unchanged)))


def change_in_bf16(old: Tensor, new: Tensor, thresholds_percent: Sequence[float]) -> Change:
    """The same after rounding to bf16."""
    return change_of(old.to(torch.bfloat16), new.to(torch.bfloat16), thresholds_percent)


def relation_of(
    first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], thresholds_percent: Sequence[float]
) -> Relation:
    """How the changes of two pairs (old, new) lie to each other; all four blocks are of one shape."""
    old, new, old_too, new_too = (_floats(tensor) for pair in (first, second) for tensor in alike(*pair))
    sums, changed = np.zeros(3), np.zeros((3, len(thresholds_percent)), np.int64)
    factors = np.asarray(thresholds_percent, dtype=np.float64) / 100
    add_relation(old, new, old_too, new_too, factors, sums, changed)
    one, other, both = (tuple(map(int, counts)) for counts in changed)
    return Relation(float(sums[0]), float(sums[1]), float(sums[2]), first[0].numel(), one, other, both)


def alike(old: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
    """Both in the narrower type; the two 16-bit types, of which neither is narrower, in float32."""
    if old.dtype == new.dtype:
        return old, new
    kind = old.dtype if old.itemsize < new.itemsize else new.dtype
    if old.itemsize == new.itemsize:
        kind = torch.float32
    return old.to(kind), new.to(kind)


def _bits(tensor: Tensor) -> NDArray[np.uint16]:
    array: Any = tensor.reshape(-1).view(torch.int16).numpy().view(np.uint16)
    found: NDArray[np.uint16] = array
    return found


def _floats(tensor: Tensor) -> NDArray[Any]:
    wide = tensor.float() if tensor.dtype in _NARROW else tensor
    found: NDArray[Any] = wide.reshape(-1).numpy()
    return found
