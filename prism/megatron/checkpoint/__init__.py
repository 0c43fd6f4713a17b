"""Sharded checkpoints (torch_dist) that are whole or absent, verified, and load under any layout.

A checkpoint is a folder `step_00000123` that holds

| file | what |
|---|---|
| `*.distcp`, `.metadata`, `common.pt`, `metadata.json` | weights and optimizer, as megatron-core reads them |
| `rng_00000.safetensors` | random state of each rank |
| `state.json` | step, what the loop remembers, layout, model, size and checksum of every file; written last |

It is written under a temporary name, synced and renamed, so a folder with the final name was whole.
"""

from prism.megatron.checkpoint.description import unwrap
from prism.megatron.checkpoint.folder import (
    Checkpoint,
    complete,
    latest,
    prune,
    read,
    require_latest,
    step_directory,
    verify,
)
from prism.megatron.checkpoint.interpolate import Interpolation
from prism.megatron.checkpoint.load import Parts, load, load_frozen, whole_weights
from prism.megatron.checkpoint.saver import Saver, save

__all__ = [
    "Checkpoint",
    "Interpolation",
    "Parts",
    "Saver",
    "complete",
    "latest",
    "load",
    "load_frozen",
    "prune",
    "read",
    "require_latest",
    "save",
    "step_directory",
    "unwrap",
    "verify",
    "whole_weights",
]
