"""Reads any rows of a torch_dist checkpoint without the block around them.

A block is an archive of torch's: its bytes lie in it as they are, so rows can be read where they are. A vocabulary's
table may be one block of a gigabyte; what is read here takes the memory of the rows that were asked for.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prism.formats.blocks import PartOfFile
from prism.formats.safe_metadata import StoredTensor
from prism.formats.torch_dist import WEIGHTS, TorchDist, _Stored


@dataclass(frozen=True)
class Kept:
    """Rows `first` to `end` of a weight as they are stored: under `key`, in a stack at `layer`."""

    name: str
    first: int
    end: int
    key: str
    layer: int | None


@dataclass(frozen=True)
class _Overlap:
    """Rows `low` to `high` of a stored tensor, in some columns, that one block holds.

    Args:
        skipped: rows of the block before them.
    """

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    low: int
    high: int
    skipped: int
    columns: tuple[slice, ...]


class TorchDistRows(TorchDist):
    """A checkpoint that is read in rows, from any thread."""

    def __init__(self, path: Path, prefix: str = "") -> None:
        super().__init__(path, prefix)
        self._places: dict[tuple[str, tuple[int, ...]], tuple[Path, int] | None] = {}

    def read_into(self, name: str, first: int, tensor: Tensor) -> None:
        """Fills a contiguous tensor of the stored type with the rows from `first` on."""
        start = 0
        for stored in self._weights[name]:
            low, high = max(first, start), min(first + len(tensor), start + stored.shape[0])
            if low < high:
                self._read_rows(stored, low - start, tensor[low - first : high - first])
            start += stored.shape[0]

    def kept(self) -> list[Kept]:
        """Every weight by its stored places, in the order of names."""
        found = []
        for name, parts in self._weights.items():
            first = 0
            for part in parts:
                found.append(Kept(name, first, first + part.shape[0], part.key, part.layer))
                first += part.shape[0]
        return found

    def stored_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the stored tensors of weights, by key."""
        described = self._metadata.state_dict_metadata
        return {kept.key: tuple(described[kept.key].size) for kept in self.kept()}

    def extra_states(self) -> list[str]:
        """Keys of the objects that megatron-core's layers keep beside weights."""
        described = self._metadata.state_dict_metadata
        return [
            key for key, value in described.items() if key.startswith(WEIGHTS) and not isinstance(value, StoredTensor)
        ]

    def check_files(self) -> None:
        """Raises Damaged when a file that holds weights is missing or too short; its content isn't looked at."""
        needed: dict[str, int] = {}
        for kept in self.kept():
            for chunk in self._metadata.state_dict_metadata[kept.key].chunks:
                place = self._metadata.find(kept.key, chunk.offsets)
                end = place.offset + place.length
                needed[place.relative_path] = max(end, needed.get(place.relative_path, 0))
        for name, size in needed.items():
            file = self.path / name
            if not file.is_file():
                raise self._damaged(f"{name} is missing")
            if file.stat().st_size < size:
                raise self._damaged(f"{name} is cut short")

    def _read_rows(self, stored: _Stored, first: int, target: Tensor) -> None:
        found = 0
        for overlap in self._overlaps(stored, first, first + len(target)):
            place = self._place(stored, overlap.offsets, overlap.sizes)
            if place is None:  # not stored row by row: take the whole block
                target.copy_(self._rows(stored, first, first + len(target)))
                return
            part = target[(slice(overlap.low - first, overlap.high - first), *overlap.columns)]
            row = part[:1].numel() * part.itemsize
            at = place[1] + overlap.skipped * row
            if part.is_contiguous():
                self._fill(place[0], at, part)
            else:
                piece = torch.empty_like(part, memory_format=torch.contiguous_format)
                self._fill(place[0], at, piece)
                part.copy_(piece)
            found += part.numel()
        if found != target.numel():
            raise self._damaged(f"{stored.key} isn't complete")

    def _overlaps(self, stored: _Stored, first: int, end: int) -> Iterator[_Overlap]:
        for chunk in self._metadata.state_dict_metadata[stored.key].chunks:
            offsets, sizes = tuple(chunk.offsets), tuple(chunk.sizes)
            row, skipped = 0, 0
            if stored.layer is not None:
                if not offsets[0] <= stored.layer < offsets[0] + sizes[0]:
                    continue
                row, skipped = 1, (stored.layer - offsets[0]) * sizes[1]
            low, high = max(first, offsets[row]), min(end, offsets[row] + sizes[row])
            if low < high:
                columns = zip(offsets[row + 1 :], sizes[row + 1 :], strict=True)
                cut = tuple(slice(offset, offset + size) for offset, size in columns)
                yield _Overlap(offsets, sizes, low, high, skipped + low - offsets[row], cut)

    def _place(self, stored: _Stored, offsets: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[Path, int] | None:
        """File and first byte of a block's values; None where they don't lie row by row."""
        block = (stored.key, offsets)
        if block not in self._places:
            self._places[block] = self._find_place(stored, offsets, sizes)
        return self._places[block]

    def _find_place(self, stored: _Stored, offsets: Sequence[int], sizes: tuple[int, ...]) -> tuple[Path, int] | None:
        place = self._metadata.find(stored.key, offsets)
        file = self.path / place.relative_path
        try:
            if file.stat().st_size < place.offset + place.length:
                raise self._damaged(f"{file.name} is cut short")
            with file.open("rb", buffering=0) as handle:
                view: Any = PartOfFile(handle, place.offset, place.length)
                with torch.serialization.skip_data():
                    like: Tensor = torch.load(view, map_location="cpu", weights_only=True)
                with zipfile.ZipFile(view) as archive:
                    start = _plain_start(view, archive, like)
        except FileNotFoundError:
            raise self._damaged(f"{file.name} is missing") from None
        except (RuntimeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise self._damaged(f"{stored.key} in {file.name} can't be read ({error})") from None
        if tuple(like.shape) != sizes or like.dtype != stored.dtype:
            raise self._damaged(f"{stored.key} in {file.name} isn't what .metadata says")
        return None if start is None else (file, place.offset + start)

    def _fill(self, path: Path, at: int, tensor: Tensor) -> None:
        array: Any = tensor.view(-1).view(torch.uint8).numpy()
        content = memoryview(array)
        with path.open("rb", buffering=0) as file:
            while content:
                count = os.preadv(file.fileno(), [content], at)
                if not count:
                    raise self._damaged(f"{path.name} is cut short")
                content, at = content[count:], at + count


def _plain_start(view: Any, archive: zipfile.ZipFile, like: Tensor) -> int | None:
    """Where in an archive of torch's the values of its one tensor begin, if they lie there row by row."""
    records = [info for info in archive.infolist() if info.filename.partition("/")[2].startswith("data/")]
    whole = like.is_contiguous() and like.storage_offset() == 0
    if not whole or len(records) != 1 or records[0].compress_type != zipfile.ZIP_STORED:
        return None
    if records[0].file_size != like.numel() * like.itemsize:
        return None
    view.seek(records[0].header_offset)
    head = view.read(30)
    return records[0].header_offset + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
