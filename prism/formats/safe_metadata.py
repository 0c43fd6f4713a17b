"""Reads a torch_dist checkpoint's `.metadata`, a pickle, without building anything but checkpoint metadata.

torch's own reader unpickles it freely; whoever uses that one checks the file here first.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from data_prep.files import write_bytes
from prism.errors import BadInput

_CHECKPOINT = "torch.distributed.checkpoint"
_ALLOWED = {
    f"{_CHECKPOINT}.filesystem": {"_StorageInfo"},
    f"{_CHECKPOINT}.metadata": {
        "BytesStorageMetadata",
        "ChunkStorageMetadata",
        "Metadata",
        "MetadataIndex",
        "StorageMeta",
        "TensorProperties",
        "TensorStorageMetadata",
        "_MEM_FORMAT_ENCODING",
    },
    f"{_CHECKPOINT}.planner": {"SavePlan", "TensorWriteData", "WriteItem", "WriteItemType"},
    "torch.serialization": {"_get_layout"},
    "torch": {"Size", "bfloat16", "bool", "float16", "float32", "float64", "int32", "int64", "uint8"},
}


class _Restricted(pickle.Unpickler):
    """Builds checkpoint metadata and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if name not in _ALLOWED.get(module, ()):
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def check_metadata(checkpoint: Path) -> None:
    """Raises BadInput when `.metadata` is missing, damaged, or holds anything but checkpoint metadata."""
    read_metadata(checkpoint)


def read_metadata(checkpoint: Path) -> Any:
    """torch's `Metadata` of a checkpoint.

    Raises:
        BadInput: `.metadata` is missing, damaged, or holds anything but checkpoint metadata.
    """
    path = checkpoint / ".metadata"
    try:
        with path.open("rb") as handle:
            return _Restricted(handle).load()
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
    write_bytes(checkpoint / ".metadata", pickle.dumps(metadata))
