"""Writes a mixture as a Hugging Face folder, in the files that the trained checkpoint has."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import local
from typing import Any

import torch

from data_prep.files import begin_sync, read_json, write_json
from prism.formats.hf_folder import INDEX, PYTORCH, Described, HfFolder, header
from prism.formats.threads import in_threads
from prism.formats.weights import UNIT_BYTES, unit_rows
from prism.longcontext.mix import Mixture


@dataclass(frozen=True)
class _Unit:
    """Rows `first` to `end` of a tensor, and where they go."""

    name: str
    first: int
    end: int
    file: int
    at: int


def write_hf(
    folder: Path,
    mixture: Mixture,
    trained: HfFolder,
    names: Sequence[str],
    workers: int,
    progress: Callable[[int], None],
) -> None:
    """Fills `folder` with safetensors files of the tensors `names`, and their index.

    Args:
        progress: told the number of bytes written, from any thread.
    """
    wanted = set(names)
    files: dict[str, list[Described]] = {}
    for name in sorted(wanted, key=trained.place):
        tensor = Described(name, trained.shape(name), trained.dtype(name))
        files.setdefault(trained.place(name)[0], []).append(tensor)
    with ExitStack() as stack:
        units: list[_Unit] = []
        for file, tensors in files.items():
            begin, starts = header(tensors, _metadata(trained.path / file))
            handle = stack.enter_context((folder / file).open("wb", buffering=0))
            handle.write(begin)
            handle.truncate(starts[-1] + tensors[-1].bytes)
            for tensor, start in zip(tensors, starts, strict=True):
                units += _units(tensor, handle.fileno(), start)
        _in_threads(mixture, trained, units, workers, progress)
    if (trained.path / INDEX).is_file():
        _write_index(folder, trained, files)


def _units(tensor: Described, file: int, start: int) -> Iterator[_Unit]:
    rows, step = tensor.shape[0], unit_rows(tensor.shape, tensor.dtype)
    for first in range(0, rows, step):
        yield _Unit(tensor.name, first, min(rows, first + step), file, start + first * (tensor.bytes // rows))


def _in_threads(
    mixture: Mixture, trained: HfFolder, units: Sequence[_Unit], workers: int, progress: Callable[[int], None]
) -> None:
    held = local()

    def work(unit: _Unit) -> None:
        shape, dtype = trained.shape(unit.name)[1:], trained.dtype(unit.name)
        rows = torch.Size((unit.end - unit.first, *shape))
        size = rows.numel() * dtype.itemsize
        buffer: torch.Tensor | None = getattr(held, "buffer", None)
        if buffer is None or buffer.numel() < size:
            buffer = held.buffer = torch.empty(max(size, UNIT_BYTES), dtype=torch.uint8)
        content = buffer[:size]
        mixture.read_into(unit.name, unit.first, content.view(dtype).view(rows))
        array: Any = content.numpy()
        left, at = memoryview(array), unit.at
        while left:
            written = os.pwrite(unit.file, left, at)
            left, at = left[written:], at + written
        begin_sync(unit.file, unit.at, size)
        progress(size)

    in_threads(work, units, workers)


def _metadata(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        found = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    kept: dict[str, str] = found.get("__metadata__") or PYTORCH
    return kept


def _write_index(folder: Path, trained: HfFolder, files: dict[str, list[Described]]) -> None:
    """The trained checkpoint's, for the tensors that were written."""
    index = read_json(trained.path / INDEX)
    total = sum(tensor.bytes for tensors in files.values() for tensor in tensors)
    of = {tensor.name: file for file, tensors in files.items() for tensor in tensors}
    index |= {"metadata": {**index.get("metadata", {}), "total_size": total}, "weight_map": dict(sorted(of.items()))}
    write_json(folder / INDEX, index)
