"""Hugging Face checkpoint folders: safetensors files, one or several with an index, read and written as streams."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from data_prep.errors import DataError
from data_prep.files import atomic_writer, begin_sync, read_json, write_json
from prism.errors import BadInput
from prism.formats.files import by_file

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
PYTORCH = {"format": "pt"}
"""Metadata that transformers asks for in every file."""
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}
_WRITE_BYTES = 1 << 26
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


class HfFolder:
    """The tensors of a folder by name, read when they are asked for.

    Raises:
        BadInput: a shard is missing, cut short or no safetensors file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._of: dict[str, str] = {}
        self._starts: dict[str, int] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._dtypes: dict[str, torch.dtype] = {}
        for name in self._file_names():
            self._open(name)

    def _file_names(self) -> list[str]:
        if (self.path / INDEX).is_file():
            return self._indexed()
        if (self.path / SINGLE).is_file():
            return [SINGLE]
        raise BadInput(
            f"neither {SINGLE} nor {INDEX}", place=str(self.path), remedy="give the folder of a safetensors checkpoint"
        )

    def _indexed(self) -> list[str]:
        try:
            index = read_json(self.path / INDEX)
            return sorted(set(index["weight_map"].values()))
        except (DataError, KeyError, TypeError, AttributeError) as error:
            why = error.message if isinstance(error, DataError) else "it has no weight_map of names and files"
            raise BadInput(
                f"not an index of shards ({why})", place=str(self.path / INDEX), remedy="fetch it again"
            ) from None

    def _open(self, name: str) -> None:
        path = self.path / name
        try:
            handle: Any = safe_open(path, framework="pt")
            keys = list(handle.keys())
        except FileNotFoundError:
            raise BadInput(f"shard {name} is missing", place=str(self.path), remedy="fetch it") from None
        except SafetensorError as error:
            raise BadInput(
                f"not a whole safetensors file ({error})", place=str(path), remedy="fetch it again"
            ) from None
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
        for key in keys:
            self._starts[key] = 8 + length + header[key]["data_offsets"][0]
            piece = handle.get_slice(key)
            dtype = piece.get_dtype()
            if dtype not in _DTYPES:
                raise BadInput(
                    f"{key} is of type {dtype}; known are {', '.join(_DTYPES)}",
                    place=str(path),
                    remedy="use the checkpoint that isn't quantised",
                )
            self._of[key], self._shapes[key], self._dtypes[key] = name, tuple(piece.get_shape()), _DTYPES[dtype]

    def names(self) -> list[str]:
        return list(self._of)

    def __contains__(self, name: str) -> bool:
        return name in self._of

    def shape(self, name: str) -> tuple[int, ...]:
        return self._shapes[name]

    def dtype(self, name: str) -> torch.dtype:
        return self._dtypes[name]

    def place(self, name: str) -> tuple[str, int]:
        """File of a tensor, and its first byte there."""
        return self._of[name], self._starts[name]

    def read(self, name: str, first: int = 0, end: int | None = None) -> Tensor:
        """Rows `first` to `end`, all of them by default."""
        rows, *tail = self._shapes[name]
        tensor = torch.empty((rows if end is None else end) - first, *tail, dtype=self._dtypes[name])
        self.read_into(name, first, tensor)
        return tensor

    def read_into(self, name: str, first: int, tensor: Tensor) -> None:
        """Fills a contiguous tensor of the stored type with the rows from `first` on.

        Reads; mapping the file into memory costs a page fault every 4 KiB, which is slower.
        """
        array: Any = tensor.view(-1).view(torch.uint8).numpy()
        content, path = memoryview(array), self.path / self._of[name]
        at = self._starts[name] + first * torch.Size(self._shapes[name][1:]).numel() * tensor.itemsize
        with path.open("rb", buffering=0) as file:
            while content:
                count = os.preadv(file.fileno(), [content], at)
                if not count:
                    raise BadInput(f"{name} is cut short", place=str(path), remedy="fetch it again")
                content, at = content[count:], at + count


@dataclass(frozen=True)
class Described:
    """What a safetensors file says of a tensor."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        return torch.Size(self.shape).numel() * self.dtype.itemsize


@dataclass(frozen=True)
class OutTensor(Described):
    """A tensor to write. `read` is called once, just before it is written."""

    read: Callable[[], Tensor]


def write_tensors(folder: Path, tensors: Sequence[OutTensor], shard_bytes: int, workers: int) -> None:
    """Writes safetensors shards of at most `shard_bytes` (or one tensor), and their index.

    A shard that is there already, left by a killed run, is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = by_file(tensors, shard_bytes)
    count = len(shards)
    names = (
        [f"model-{number:05d}-of-{count:05d}.safetensors" for number in range(1, count + 1)] if count > 1 else [SINGLE]
    )
    with ThreadPoolExecutor(workers) as pool:
        for name, shard in zip(names, shards, strict=True):
            _write_shard(folder / name, shard, pool)
    if count > 1:
        of = {tensor.name: name for name, shard in zip(names, shards, strict=True) for tensor in shard}
        total = sum(tensor.bytes for tensor in tensors)
        write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": dict(sorted(of.items()))})


def _write_shard(path: Path, tensors: Sequence[OutTensor], pool: ThreadPoolExecutor) -> None:
    """The format: length of the header, header in JSON, then every tensor's bytes, end to end.

    Every tensor's place is known beforehand, so they are written side by side.
    """
    if path.exists():
        return
    content, starts = header(tensors)
    with atomic_writer(path) as handle:
        handle.write(content)
        handle.flush()
        list(pool.map(partial(_write_at, handle.fileno()), starts, tensors))


def header(tensors: Sequence[Described], metadata: Mapping[str, str] = PYTORCH) -> tuple[bytes, list[int]]:
    """How a safetensors file begins, and where in it each tensor's bytes start."""
    described: dict[str, Any] = {"__metadata__": dict(metadata)}
    ends = list(accumulate((tensor.bytes for tensor in tensors), initial=0))
    for tensor, start, end in zip(tensors, ends, ends[1:], strict=False):
        described[tensor.name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(described, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text, [8 + len(text) + start for start in ends[:-1]]


def _write_at(descriptor: int, start: int, tensor: OutTensor) -> None:
    array: Any = tensor.read().contiguous().view(torch.uint8).numpy()
    content = memoryview(array.reshape(-1))
    while content:
        written = os.pwrite(descriptor, content[:_WRITE_BYTES], start)
        begin_sync(descriptor, start, written)
        content, start = content[written:], start + written
