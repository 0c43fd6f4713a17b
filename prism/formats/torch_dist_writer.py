"""Writes a torch_dist checkpoint piece by piece: no more than a few tensors are in memory at once.

megatron-core's `dist_checkpointing.load` reads it under any layout. The folder fills up under a temporary name,
file by file; a killed conversion goes on with the first file that isn't whole.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data_prep.files import atomic_writer, begin_sync, read_json, write_json
from prism.formats.files import by_file
from prism.formats.safe_metadata import write_metadata

BACKENDS = {
    "sharded_backend": "torch_dist",
    "sharded_backend_version": 1,
    "common_backend": "torch",
    "common_backend_version": 1,
}
"""What `metadata.json` holds: how megatron-core is to read the rest."""

_BYTES_PER_FILE = 1 << 30


@dataclass(frozen=True)
class Piece:
    """A block of a stored tensor: its place in the whole, and how to get it.

    `read` gives a tensor of `shape`; it is called once, just before the block is written.
    """

    key: str
    offsets: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], Tensor]

    @property
    def bytes(self) -> int:
        return torch.Size(self.shape).numel() * self.dtype.itemsize


@dataclass(frozen=True)
class _Written:
    """Where a piece lies in its file."""

    key: str
    offsets: tuple[int, ...]
    at: int
    length: int


def write_torch_dist(
    folder: Path,
    pieces: Sequence[Piece],
    shapes: Mapping[str, tuple[int, ...]],
    extra_states: Iterable[str],
    workers: int,
) -> None:
    """Writes the pieces and what describes them into `folder`, which may hold a killed run's files.

    Args:
        shapes: of every stored tensor, by key.
        extra_states: keys of empty objects that megatron-core's layers expect.
        workers: files written side by side.
    """
    with ThreadPoolExecutor(workers) as pool:
        running = [
            pool.submit(_write_group, folder, number, group)
            for number, group in enumerate(by_file(pieces, _BYTES_PER_FILE))
        ]
        empty = _write_extra_states(folder, list(extra_states))
        import torch.distributed.checkpoint.filesystem  # noqa: F401  slow to import: meanwhile the threads copy

        written = [future.result() for future in running]
    write_metadata(folder, _described(pieces, shapes, written, empty))
    write_json(folder / "metadata.json", BACKENDS)
    for file in folder.glob("*.written.json"):
        file.unlink()


def _described(
    pieces: Sequence[Piece],
    shapes: Mapping[str, tuple[int, ...]],
    written: Sequence[Sequence[_Written]],
    empty: Sequence[_Written],
) -> Any:
    """torch's `Metadata`: every stored tensor, its blocks, and where each lies."""
    from torch.distributed.checkpoint import metadata as dcp
    from torch.distributed.checkpoint.filesystem import _StorageInfo

    storage: dict[dcp.MetadataIndex, _StorageInfo] = {}
    chunks: dict[str, list[dcp.ChunkStorageMetadata]] = {key: [] for key in shapes}
    dtypes = {piece.key: piece.dtype for piece in pieces}
    for piece in pieces:
        chunks[piece.key].append(dcp.ChunkStorageMetadata(torch.Size(piece.offsets), torch.Size(piece.shape)))
    for number, entries in enumerate(written):
        for entry in entries:
            where = dcp.MetadataIndex(entry.key, torch.Size(entry.offsets))
            storage[where] = _StorageInfo(_file_name(number), entry.at, entry.length)
    described: dict[str, Any] = {
        key: dcp.TensorStorageMetadata(dcp.TensorProperties(dtypes[key]), torch.Size(shape), chunks[key])
        for key, shape in shapes.items()
    }
    for entry in empty:
        described[entry.key] = dcp.BytesStorageMetadata()
        storage[dcp.MetadataIndex(entry.key)] = _StorageInfo(_EXTRA_STATES, entry.at, entry.length)
    return dcp.Metadata(described, storage_data=storage)


@contextmanager
def without_checksums() -> Iterator[None]:
    """torch.save sums up every byte for the archive's checksum, which torch.load never looks at.

    The setting belongs to a thread.
    """
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        yield
    finally:
        torch.serialization.set_crc32_options(before)


_EXTRA_STATES = "__0_extra.distcp"


def _file_name(number: int) -> str:
    return f"__0_{number}.distcp"


def _write_group(folder: Path, number: int, pieces: Sequence[Piece]) -> list[_Written]:
    """Writes one file, unless it is there already, and notes beside it what lies where."""
    note = folder / f"{_file_name(number)}.written.json"
    if note.exists() and (folder / _file_name(number)).exists():
        return [_Written(row["key"], tuple(row["offsets"]), row["at"], row["length"]) for row in read_json(note)]
    entries = []
    with without_checksums(), atomic_writer(folder / _file_name(number)) as handle:
        for piece in pieces:
            at = handle.tell()
            tensor = piece.read()
            if tensor.untyped_storage().nbytes() != piece.bytes:
                tensor = tensor.clone(memory_format=torch.contiguous_format)  # torch.save writes whole storages
            torch.save(tensor, handle)
            entries.append(_Written(piece.key, piece.offsets, at, handle.tell() - at))
            handle.flush()
            begin_sync(handle.fileno(), at, handle.tell() - at)
    write_json(note, [{"key": e.key, "offsets": e.offsets, "at": e.at, "length": e.length} for e in entries])
    return entries


def empty_object() -> bytes:
    """What stands for a layer's extra state: one object, which is None."""
    content = io.BytesIO()
    torch.save([None], content)
    return content.getvalue()


def _write_extra_states(folder: Path, keys: Sequence[str]) -> list[_Written]:
    entries = []
    empty = empty_object()
    with atomic_writer(folder / _EXTRA_STATES) as handle:
        for key in keys:
            entries.append(_Written(key, (), handle.tell(), len(empty)))
            handle.write(empty)
    return entries
