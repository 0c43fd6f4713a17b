"""The bytes of a torch_dist file, planned once and filled again at every save.

A stored block is an archive as torch.save writes it: a head, the tensor's bytes, a tail. Head and tail depend on shape
and type alone, so a file is a buffer in which they stand already; a save copies the tensors in and writes it out.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from prism.formats.safe_metadata import as_bytes
from prism.formats.torch_dist_writer import empty_object, without_checksums

_ALIGNED = 64


@dataclass(frozen=True)
class Block:
    """A part of a stored tensor. `whole` is the shape of the tensor, which may begin with axes of size one."""

    key: str
    offsets: tuple[int, ...]
    shape: tuple[int, ...]
    whole: tuple[int, ...]
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Slot:
    """Where a block's archive lies in its file, and where in the file its values begin."""

    block: Block
    at: int
    length: int
    values: int


@dataclass(frozen=True)
class Template:
    """An archive around the values of a tensor."""

    head: bytes
    tail: bytes


class Image:
    """Places of blocks and of empty objects in one file; `bytes` is the file's size."""

    def __init__(self, blocks: Iterable[Block], objects: Iterable[str]) -> None:
        templates: dict[tuple[tuple[int, ...], torch.dtype], Template] = {}
        self.slots: list[Slot] = []
        self.objects: list[tuple[str, int, int]] = []
        self._static: list[tuple[int, bytes]] = []
        at = 0
        for block in blocks:
            like = (block.shape, block.dtype)
            if like not in templates:
                templates[like] = _template(*like)
            around = templates[like]
            at += -at % _ALIGNED
            values = at + len(around.head)
            length = len(around.head) + block.bytes + len(around.tail)
            self.slots.append(Slot(block, at, length, values))
            self._static += [(at, around.head), (values + block.bytes, around.tail)]
            at += length
        empty = empty_object()
        for key in objects:
            self.objects.append((key, at, len(empty)))
            self._static.append((at, empty))
            at += len(empty)
        self.bytes = at

    def prepare(self, buffer: memoryview) -> None:
        """Puts into a buffer of zeros what is the same at every save."""
        for at, content in self._static:
            buffer[at : at + len(content)] = content


@dataclass(frozen=True)
class Placed:
    """What one file holds; travels between ranks."""

    file: str
    slots: Sequence[Slot]
    objects: Sequence[tuple[str, int, int]]


def metadata_bytes(files: Sequence[Placed]) -> bytes:
    """torch's `Metadata` of all files, pickled, as `.metadata` holds it.

    Raises:
        ValueError: blocks of a tensor overlap or don't cover it.
    """
    from torch.distributed.checkpoint import metadata as dcp
    from torch.distributed.checkpoint.filesystem import _StorageInfo

    check_complete([slot.block for placed in files for slot in placed.slots])
    described: dict[str, Any] = {}
    storage: dict[dcp.MetadataIndex, _StorageInfo] = {}
    for placed in files:
        for slot in placed.slots:
            block = slot.block
            offsets, shape = torch.Size(block.offsets), torch.Size(block.shape)
            if block.key not in described:
                described[block.key] = dcp.TensorStorageMetadata(
                    dcp.TensorProperties(block.dtype), torch.Size(block.whole), []
                )
            described[block.key].chunks.append(dcp.ChunkStorageMetadata(offsets, shape))
            storage[dcp.MetadataIndex(block.key, offsets)] = _StorageInfo(placed.file, slot.at, slot.length)
        for key, at, length in placed.objects:
            described[key] = dcp.BytesStorageMetadata()
            storage[dcp.MetadataIndex(key)] = _StorageInfo(placed.file, at, length)
    return as_bytes(dcp.Metadata(described, storage_data=storage))


def check_complete(blocks: Sequence[Block]) -> None:
    """Raises ValueError when blocks of a tensor are there twice, or don't cover it."""
    wholes: dict[str, tuple[int, ...]] = {}
    counts: dict[str, int] = {}
    seen: set[tuple[str, tuple[int, ...]]] = set()
    for block in blocks:
        if wholes.setdefault(block.key, block.whole) != block.whole:
            raise ValueError(f"ranks disagree on the shape of {block.key}")
        if (block.key, block.offsets) in seen:
            raise ValueError(f"two ranks save the same part of {block.key}")
        seen.add((block.key, block.offsets))
        counts[block.key] = counts.get(block.key, 0) + math.prod(block.shape)
    for key, count in counts.items():
        if count != math.prod(wholes[key]):
            raise ValueError(f"no rank saves {math.prod(wholes[key]) - count} of the values of {key}")


class _Split:
    """A file that torch.save writes to: keeps what isn't the tensor's bytes."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self._first, self._end = tensor.data_ptr(), tensor.data_ptr() + tensor.nbytes
        self.head, self.tail, self._skipped = bytearray(), bytearray(), 0

    def write(self, content: Any) -> int:
        import numpy as np

        view = memoryview(content)
        address = np.frombuffer(view, np.uint8).ctypes.data if len(view) else 0
        if self._first <= address < self._end:
            self._skipped += len(view)
        elif self._skipped:
            self.tail += view
        else:
            self.head += view
        return len(view)

    def flush(self) -> None:
        pass


def _template(shape: tuple[int, ...], dtype: torch.dtype) -> Template:
    tensor = torch.zeros(shape, dtype=dtype)
    split = _Split(tensor)
    with without_checksums():
        torch.save(tensor, split)  # type: ignore[arg-type]  # all that is called is there
    assert split._skipped == tensor.nbytes, "torch.save no longer writes a tensor's memory as it is"
    return Template(bytes(split.head), bytes(split.tail))


def common_bytes(common: Mapping[str, Any]) -> bytes:
    """What `common.pt` holds: plain values that aren't sharded."""
    content = io.BytesIO()
    torch.save(dict(common), content)
    return content.getvalue()
