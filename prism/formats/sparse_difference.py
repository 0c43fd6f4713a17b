"""Files of differences between bf16 weights, and the trajectory's folder around them.

A file is safetensors: of each changed tensor `<name>:<array>` for every array of `prism.formats.sparse_code`. It is
written with one tensor in memory at a time: the arrays wait in a nameless file until the header is known.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from threading import local
from typing import IO, Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from data_prep.files import atomic_writer, fingerprint
from prism.errors import BadInput
from prism.formats.checksums import FileSum, damage, sum_file, sum_folder
from prism.formats.hf_folder import HfFolder, OutTensor, write_tensors
from prism.formats.sparse_code import Array, Undecodable, decode, encode
from prism.formats.trajectory_manifest import (
    KeptFile,
    Start,
    StepChange,
    TensorChange,
    has_start,
    read_start,
    read_step,
    step_file,
    write_start,
    write_step,
)
from prism.formats.whole_folder import whole_folder

START_FOLDER = "start"
_SHARD_BYTES = 5_000_000_000
_TYPES = {"uint8": "U8", "uint16": "U16", "uint32": "U32", "int8": "I8"}
_COPY_BYTES = 1 << 24
_FORMAT = "prism-sparse-difference"
_AGAIN = "copy the folder again from where it was whole, or remove it and run the stage again"


def write_start_folder(folder: Path, checkpoint: str, tensors: Sequence[OutTensor], workers: int) -> Start:
    """Writes the start's tensors (bf16) and the manifest that names them; what a killed run left goes first.

    Args:
        checkpoint: identity of the checkpoint that they come from.

    Raises:
        ResourcesExhausted: the disk is too small.
    """
    size = sum(tensor.bytes for tensor in tensors)
    final = folder / START_FOLDER
    if final.exists() and not has_start(folder):
        for file in final.iterdir():
            file.unlink()
    with whole_folder(final, size) as temporary:
        write_tensors(temporary, tensors, _SHARD_BYTES, workers)
    files = {name: KeptFile(found.bytes, found.xxh3) for name, found in sum_folder(final).items()}
    start = Start(checkpoint, fingerprint({name: file.xxh3 for name, file in files.items()}), size, files)
    write_start(folder, start)
    return start


class DifferenceWriter:
    """A step's file in the making; made by `difference_writer`."""

    def __init__(self, waiting: IO[bytes], metadata: Mapping[str, str]) -> None:
        self._waiting = waiting
        self._entries: dict[str, Any] = {"__metadata__": dict(metadata)}
        self._end = 0
        self.tensors: dict[str, TensorChange] = {}

    def add(self, name: str, old: Tensor, new: Tensor) -> None:
        """Takes up what differs. Both are bf16 on the CPU, of one shape."""
        found = encode(old, new)
        self.tensors[name] = TensorChange(new.numel(), found.changed, found.bytes)
        for kind, array in found.arrays.items():
            end = self._end + array.nbytes
            described = {"dtype": _TYPES[array.dtype.name], "shape": [array.size], "data_offsets": [self._end, end]}
            self._entries[f"{name}:{kind}"] = described
            content: Any = array.view(np.uint8)
            self._waiting.write(memoryview(content))
            self._end = end

    def write_to(self, handle: IO[bytes]) -> None:
        """Header and arrays, as safetensors has them."""
        text = json.dumps(self._entries, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)  # arrays begin at a multiple of 8
        handle.write(len(text).to_bytes(8, "little") + text)
        self._waiting.seek(0)
        shutil.copyfileobj(self._waiting, handle, _COPY_BYTES)


@contextmanager
def difference_writer(folder: Path, step: int, start: Start) -> Iterator[DifferenceWriter]:
    """Gives a writer to add every tensor to; when the block ends well, the step is kept, else there is no trace of it.

    Raises:
        OSError: the disk is full, or fails.
    """
    path = step_file(folder, step)
    metadata = {"format": _FORMAT, "step": str(step), "start": start.content}
    with TemporaryFile(dir=folder) as waiting:
        writer = DifferenceWriter(waiting, metadata)
        yield writer
        with atomic_writer(path) as handle:
            writer.write_to(handle)
    found = sum_file(path)
    dense = sum(2 * tensor.elements for tensor in writer.tensors.values())
    write_step(folder, StepChange(step, start.content, KeptFile(found.bytes, found.xxh3), dense, writer.tensors))


def load_start(folder: Path) -> Iterator[tuple[str, Tensor]]:
    """The start's weights in bf16, tensor by tensor, by Hugging Face names.

    Raises:
        BadInput: a file is missing or isn't what was written.
    """
    stored = start_tensors(folder)
    for name in stored.names():
        yield name, stored.read(name)


def start_tensors(folder: Path) -> HfFolder:
    """The start's weights to read from. Every file is held against its checksum first.

    Raises:
        BadInput: a file is missing or isn't what was written.
    """
    for name, file in read_start(folder).files.items():
        _check(folder / START_FOLDER / name, file)
    return HfFolder(folder / START_FOLDER)


class StepWeights:
    """The weights in bf16 after a step, by Hugging Face names, read in rows: bit for bit those that were trained.

    Step 0 is the start. Checksums are held against the files first. Whole tensors are decoded; each thread keeps its
    last one.

    Args:
        start: the start's tensors, where they are open already.

    Raises:
        BadInput: the step isn't kept, or a file is missing or isn't what was written.
    """

    def __init__(self, folder: Path, step: int, start: HfFolder | None = None) -> None:
        said = read_start(folder)
        self.path = folder
        self.content = said.content
        self._start = start or start_tensors(folder)
        self._arrays: Callable[[str], dict[str, Array]] = lambda _: {}
        self._kept = local()
        if step:
            change, self.path = read_step(folder, step), step_file(folder, step)
            if change.start != said.content:
                raise BadInput("it differs from another start than the folder's", place=str(self.path), remedy=_AGAIN)
            _check(self.path, change.file)
            self._arrays = _reader(self.path)
            self.content = fingerprint([said.content, change.file.xxh3])

    def names(self) -> list[str]:
        return self._start.names()

    def __contains__(self, name: str) -> bool:
        return name in self._start

    def shape(self, name: str) -> tuple[int, ...]:
        return self._start.shape(name)

    def dtype(self, name: str) -> torch.dtype:
        return self._start.dtype(name)

    def read(self, name: str) -> Tensor:
        try:
            return decode(self._start.read(name), self._arrays(name))
        except Undecodable as error:
            raise BadInput(f"{name}: {error}", place=str(self.path), remedy=_AGAIN) from None

    def read_into(self, name: str, first: int, tensor: Tensor) -> None:
        """Fills a contiguous tensor of the stored type with the rows from `first` on."""
        if getattr(self._kept, "name", None) != name:
            self._kept.name, self._kept.whole = name, self.read(name)
        tensor.copy_(self._kept.whole[first : first + len(tensor)])


def load_step(folder: Path, step: int) -> Iterator[tuple[str, Tensor]]:
    """The weights in bf16 after a step, tensor by tensor, by Hugging Face names: bit for bit those that were trained.

    Raises:
        BadInput: the step isn't kept, or a file is missing or isn't what was written.
    """
    read_step(folder, step)
    weights = StepWeights(folder, step)
    for name in weights.names():
        yield name, weights.read(name)


def _reader(path: Path) -> Callable[[str], dict[str, Array]]:
    """Gives a function from a tensor's name to its arrays."""
    try:
        handle: Any = safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise BadInput(f"not a whole safetensors file ({error})", place=str(path), remedy=_AGAIN) from None
    kinds: dict[str, list[str]] = {}
    for key in handle.keys():  # noqa: SIM118  safe_open isn't a mapping
        name, _, kind = key.rpartition(":")
        kinds.setdefault(name, []).append(kind)
    return lambda name: {kind: handle.get_tensor(f"{name}:{kind}").numpy() for kind in kinds.get(name, ())}


def _check(path: Path, expected: KeptFile) -> None:
    wrong = damage(path, FileSum(expected.bytes, expected.xxh3))
    if wrong:
        raise BadInput(wrong, place=str(path), remedy=_AGAIN)


def as_bf16(tensor: OutTensor) -> OutTensor:
    """The same tensor in bf16, rounded to the nearest."""
    return OutTensor(tensor.name, tensor.shape, torch.bfloat16, lambda: tensor.read().to(torch.bfloat16))
