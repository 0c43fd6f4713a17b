"""What differs between two bf16 tensors, as few bytes as it takes; the second comes back bit for bit.

| coding of places | bytes | holds |
|---|---|---|
| gaps8, gaps16, gaps32 | 1, 2, 4 a change | unchanged elements before a change; the largest code adds itself alone |
| bitmap | 1 for 8 elements | a bit an element, the highest first |
| whole | 2 an element | no places: the second tensor |

| coding of values | bytes | holds |
|---|---|---|
| moves | 1 a change | difference of the bit patterns: 1 to the neighbouring value; -128 is a far one |
| values | 2 a change | bit patterns |

Training with a small learning rate moves most of the weights that it changes to a neighbouring value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[Any]

GAPS: dict[str, np.dtype[Any]] = {f"gaps{bits}": np.dtype(f"uint{bits}") for bits in (8, 16, 32)}
FAR = -128


class Undecodable(ValueError):
    """The arrays aren't what `encode` makes of a tensor of this shape."""


@dataclass(frozen=True)
class Difference:
    """Elements that differ, and the arrays that say which and how, by the names of the tables above.

    `far` are the values, in order, of the changes that `moves` has no room for. No arrays mean no changes.
    """

    changed: int
    arrays: Mapping[str, Array]

    @property
    def bytes(self) -> int:
        return sum(array.nbytes for array in self.arrays.values())


def bit_patterns(tensor: Tensor) -> npt.NDArray[np.uint16]:
    """A bf16 tensor as 16-bit integers, flat; shares memory where it is contiguous."""
    assert tensor.dtype == torch.bfloat16
    found: npt.NDArray[np.uint16] = tensor.detach().contiguous().reshape(-1).view(torch.int16).numpy().view(np.uint16)
    return found


def encode(old: Tensor, new: Tensor) -> Difference:
    """The smallest coding of `new` given `old`: bf16 on the CPU, of one shape.

    Elements count as changed when their bits differ: 0 and -0 do, a NaN and the same NaN don't.
    """
    assert old.shape == new.shape
    before, after = bit_patterns(old), bit_patterns(new)
    at = np.flatnonzero(before != after)
    if not len(at):
        return Difference(0, {})
    values = _values(before[at], after[at])
    gaps = np.diff(at, prepend=-1) - 1
    sizes = {name: _gap_bytes(gaps, kind) for name, kind in GAPS.items()}
    sizes["bitmap"] = -(-len(before) // 8)
    best = min(sizes, key=lambda name: sizes[name])
    if sizes[best] + sum(array.nbytes for array in values.values()) >= after.nbytes:
        return Difference(len(at), {"whole": after})
    places: Callable[[], Array] = (
        (lambda: _bitmap(at, len(before))) if best == "bitmap" else lambda: _gap_codes(gaps, GAPS[best])
    )
    return Difference(len(at), {best: places(), **values})


def decode(old: Tensor, arrays: Mapping[str, Array]) -> Tensor:
    """`old` with the changes made: a new tensor of its shape.

    Raises:
        Undecodable: the arrays don't fit together, or not this tensor.
    """
    result = old.detach().clone(memory_format=torch.contiguous_format)
    after = bit_patterns(result)
    if not arrays:
        return result
    if "whole" in arrays:
        if arrays["whole"].size != after.size:
            raise Undecodable(f"{arrays['whole'].size} values for {after.size} elements")
        after[:] = arrays["whole"].reshape(-1)
        return result
    at = _places(arrays, after.size)
    if len(at) and at[-1] >= after.size:
        raise Undecodable(f"a change at {at[-1]} of {after.size} elements")
    after[at] = _patterns(arrays, after[at])
    return result


def _values(before: Array, after: Array) -> dict[str, Array]:
    moves = (after - before).view(np.int16)  # wraps around, and so does the way back
    far = (moves <= FAR) | (moves > 127)
    if len(moves) + 2 * int(far.sum()) >= after.nbytes:
        return {"values": after}
    found: dict[str, Array] = {"moves": np.where(far, FAR, moves).astype(np.int8)}
    return found | {"far": after[far]} if far.any() else found


def _patterns(arrays: Mapping[str, Array], before: Array) -> Array:
    """Bit patterns of the changed elements, given those that they had."""
    if "values" in arrays:
        values = arrays["values"]
        if len(values) != len(before):
            raise Undecodable(f"{len(values)} values for {len(before)} changes")
        return values
    moves, far = arrays.get("moves", np.empty(0, np.int8)), arrays.get("far", np.empty(0, np.uint16))
    is_far = moves == FAR
    if len(moves) != len(before) or int(is_far.sum()) != len(far):
        raise Undecodable(f"{len(moves)} moves and {len(far)} far values for {len(before)} changes")
    after: Array = before + moves.astype(np.int16).view(np.uint16)
    after[is_far] = far
    return after


def _gap_bytes(gaps: Array, kind: np.dtype[Any]) -> int:
    return int((len(gaps) + (gaps // np.iinfo(kind).max).sum()) * kind.itemsize)


def _gap_codes(gaps: Array, kind: np.dtype[Any]) -> Array:
    """Each gap as the largest code so often as it fits, then the rest."""
    largest = np.iinfo(kind).max
    rounds, rest = np.divmod(gaps, largest)
    ends = np.cumsum(rounds + 1) - 1
    codes = np.full(int(ends[-1]) + 1, largest, dtype=kind)
    codes[ends] = rest
    return codes


def _bitmap(at: Array, elements: int) -> Array:
    mask = np.zeros(elements, dtype=bool)
    mask[at] = True
    return np.packbits(mask)


def _places(arrays: Mapping[str, Array], elements: int) -> Array:
    """Positions of the changes, ascending."""
    if "bitmap" in arrays:
        bits = np.unpackbits(arrays["bitmap"])
        if len(bits) // 8 != -(-elements // 8):
            raise Undecodable(f"a bitmap of {len(bits)} bits for {elements} elements")
        return np.flatnonzero(bits)
    name = next((name for name in GAPS if name in arrays), None)
    if name is None:
        raise Undecodable(f"no places among {', '.join(arrays)}")
    codes = arrays[name]
    change = codes != np.iinfo(GAPS[name]).max
    found: Array = np.cumsum(codes.astype(np.int64) + change)[change] - 1
    return found
