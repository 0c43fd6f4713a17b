"""Reads any part of the tensors in a torch_dist checkpoint: nothing is unpickled but plain tensors."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prism.formats.safe_metadata import NotPlain, StoredTensor, read_metadata
from prism.formats.step_state import Damaged

Box = Sequence[tuple[int, int]]
"""First and end in every dimension."""


class Blocks:
    """The stored tensors of one checkpoint by key, in blocks as the ranks that saved held them.

    Raises:
        BadInput: `.metadata` is missing, damaged, or holds anything but metadata.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metadata = read_metadata(path)
        self._last: tuple[tuple[str, tuple[int, ...]], Tensor] | None = None

    def shape(self, key: str) -> tuple[int, ...] | None:
        """Of the whole tensor; None when there is no such tensor."""
        described = self.metadata.state_dict_metadata.get(key)
        return tuple(described.size) if isinstance(described, StoredTensor) else None

    def read_into(self, target: Tensor, key: str, offsets: Sequence[int]) -> None:
        """Fills `target` with the part of `key` that begins at `offsets`.

        Raises:
            Damaged: a file is missing or damaged, or blocks of the part are.
        """
        box = [(first, first + size) for first, size in zip(offsets, target.shape, strict=True)]
        found = 0
        for chunk in self.metadata.state_dict_metadata[key].chunks:
            common = overlap(box, chunk.offsets, chunk.sizes)
            if common is None:
                continue
            piece = self._kept(key, tuple(chunk.offsets))[within(common, chunk.offsets)]
            target[within(common, offsets)].copy_(piece)
            found += piece.numel()
        if found != target.numel():
            raise Damaged(f"{key} isn't complete", self.path)

    def _kept(self, key: str, offsets: tuple[int, ...]) -> Tensor:
        """A block; the last one that was read is kept, since its parts are often asked for one after the other."""
        if self._last is None or self._last[0] != (key, offsets):
            self._last = ((key, offsets), self.block(key, offsets))
        return self._last[1]

    def block(self, key: str, offsets: Sequence[int]) -> Tensor:
        """A block as it was saved."""
        try:
            place = self.metadata.find(key, offsets)
            file = self.path / place.relative_path
            if file.stat().st_size < place.offset + place.length:
                raise Damaged(f"{file.name} is cut short", self.path)
            with file.open("rb", buffering=0) as handle:
                view: Any = PartOfFile(handle, place.offset, place.length)
                tensor = torch.load(view, map_location="cpu", weights_only=True)
        except KeyError:
            raise Damaged(f"a block of {key} isn't in .metadata", self.path) from None
        except FileNotFoundError:
            raise Damaged(f"{file.name} is missing", self.path) from None
        except (RuntimeError, ValueError, EOFError, OSError, NotPlain) as error:
            text = (str(error).splitlines() or [""])[0][:200]
            raise Damaged(f"{key} in {file.name} can't be read ({text})", self.path) from None
        if not isinstance(tensor, Tensor):
            raise Damaged(f"{key} in {file.name} isn't a tensor", self.path)
        return tensor


def overlap(box: Box, offsets: Sequence[int], sizes: Sequence[int]) -> list[tuple[int, int]] | None:
    """What a box and a block have in common, None when nothing."""
    common = [
        (max(low, first), min(high, first + size)) for (low, high), first, size in zip(box, offsets, sizes, strict=True)
    ]
    return None if any(low >= high for low, high in common) else common


def within(box: Box, offsets: Sequence[int]) -> tuple[slice, ...]:
    """A box as slices of a block that begins at `offsets`."""
    return tuple(slice(low - first, high - first) for (low, high), first in zip(box, offsets, strict=True))


class PartOfFile(io.RawIOBase):
    """A part of an open file, as a file of its own: what is read isn't copied."""

    def __init__(self, handle: io.RawIOBase | Any, start: int, length: int) -> None:
        super().__init__()
        self._handle, self._start, self._length, self._at = handle, start, length, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        self._at = origin + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        room = memoryview(buffer)[: max(0, self._length - self._at)]
        self._handle.seek(self._start + self._at)
        count: int = self._handle.readinto(room)
        self._at += count
        return count
