"""Reads a torch_dist checkpoint's `.metadata`, a pickle, without building any object of torch's but sizes and types.

torch's own reader unpickles it freely; whoever uses that one checks the file here first. Each class that a checkpoint's
metadata may name is replaced by a plain record of this file; any other name is refused. So reading needs neither
torch.distributed nor trust.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from data_prep.files import write_bytes
from prism.errors import BadInput


class Record:
    """Attributes as they were pickled."""

    def __init__(self, *values: Any) -> None:
        self.values = values

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, Mapping):
            self.__dict__.update(state)
        else:
            self.values = state


class Index(Record):
    """Name of a block: key of its tensor and where it begins; for objects the key alone."""

    fqn: str
    offset: Sequence[int] | None = None

    @property
    def place(self) -> tuple[str, tuple[int, ...] | None]:
        return self.fqn, None if self.offset is None else tuple(self.offset)

    def __hash__(self) -> int:
        return hash(self.place)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Index) and self.place == other.place


class Stored(Record):
    """Where a block lies: file, first byte, number of bytes."""

    relative_path: str
    offset: int
    length: int


class Block(Record):
    offsets: Sequence[int]
    sizes: Sequence[int]


class Properties(Record):
    """Pickled as a tuple that begins with the type."""

    @property
    def dtype(self) -> torch.dtype:
        found: torch.dtype = self.values[0] if self.values else self.__dict__["dtype"]
        return found


class StoredTensor(Record):
    properties: Properties
    size: Sequence[int]
    chunks: Sequence[Block]


class Metadata(Record):
    """`state_dict_metadata` says what each key is, `storage_data` where its blocks lie."""

    state_dict_metadata: Mapping[str, Any]
    storage_data: Mapping[Index, Stored]

    def find(self, key: str, offsets: Sequence[int]) -> Stored:
        """Raises KeyError when no such block is stored."""
        index = Index()
        index.fqn, index.offset = key, tuple(offsets)
        return self.storage_data[index]


_CHECKPOINT = "torch.distributed.checkpoint"
_ALLOWED: dict[str, dict[str, Any]] = {
    f"{_CHECKPOINT}.filesystem": {"_StorageInfo": Stored},
    f"{_CHECKPOINT}.metadata": {
        "BytesStorageMetadata": Record,
        "ChunkStorageMetadata": Block,
        "Metadata": Metadata,
        "MetadataIndex": Index,
        "StorageMeta": Record,
        "TensorProperties": Properties,
        "TensorStorageMetadata": StoredTensor,
        "_MEM_FORMAT_ENCODING": Record,
    },
    f"{_CHECKPOINT}.planner": dict.fromkeys(["SavePlan", "TensorWriteData", "WriteItem", "WriteItemType"], Record),
    # megatron-core's own to 0.15, in whose environments NeMo writes
    "megatron.core.dist_checkpointing.strategies.torch": {"MCoreMetadata": Metadata, "MCoreSavePlan": Record},
    "torch.serialization": {"_get_layout": Record},
    "torch": {
        "Size": torch.Size,
        **{
            name: getattr(torch, name)
            for name in ("bfloat16", "bool", "float16", "float32", "float64", "int32", "int64", "uint8")
        },
    },
}


NotPlain = pickle.UnpicklingError
"""What torch raises when it is asked to unpickle more than plain tensors."""


def as_bytes(metadata: Any) -> bytes:
    """torch's `Metadata` as `.metadata` holds it."""
    return pickle.dumps(metadata)


class _Restricted(pickle.Unpickler):
    """Builds the records above and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module][name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def read_metadata(checkpoint: Path) -> Metadata:
    """What a checkpoint holds, and where.

    Raises:
        BadInput: `.metadata` is missing, damaged, or holds anything but checkpoint metadata.
    """
    path = checkpoint / ".metadata"
    try:
        with path.open("rb") as handle:
            found = _Restricted(handle).load()
        if not isinstance(found, Metadata):
            raise pickle.UnpicklingError(f"it is a {type(found).__name__}")
        return found
    except FileNotFoundError:
        raise BadInput("the file is missing", place=str(path), remedy="go back to an earlier checkpoint") from None
    except Exception as error:
        raise BadInput(
            f"not the metadata of a checkpoint ({error})",
            place=str(path),
            remedy="don't load this checkpoint unless you know who wrote it; go back to an earlier one",
        ) from None


def write_metadata(checkpoint: Path, metadata: Any) -> None:
    """Writes torch's `Metadata` where its reader looks for it."""
    write_bytes(checkpoint / ".metadata", as_bytes(metadata))
