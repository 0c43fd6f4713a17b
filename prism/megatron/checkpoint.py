"""Sharded checkpoints (megatron-core's torch_dist) that are whole or absent, and load under any layout.

A checkpoint is a folder `step_00000123` that holds

| file | what |
|---|---|
| `*.distcp`, `.metadata`, `common.pt`, `metadata.json` | weights and optimizer, written by megatron-core |
| `rng_00000.safetensors` | random state of each rank |
| `state.json` | schema version, step, tokens, and what the loop wants to remember; written last |

It is written under a temporary name, synced and renamed, so a folder with the final name is complete.
"""

from __future__ import annotations

import logging
import os
import queue
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from megatron.core import dist_checkpointing
from megatron.core.dist_checkpointing.strategies import filesystem_async
from megatron.core.distributed import DistributedDataParallel
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.tensor_parallel.random import get_cuda_rng_tracker
from safetensors.torch import load_file, save_file
from torch.distributed.checkpoint.api import CheckpointException

from data_prep.files import fingerprint, read_json, sync_directory, write_json
from prism.errors import BadInput
from prism.formats.files import SCHEMA_VERSION, step_name
from prism.formats.safe_metadata import read_metadata
from prism.formats.torch_dist import TorchDist
from prism.megatron.parallel import is_first_rank

_NAME = re.compile(r"step_(\d{8})$")
log = logging.getLogger("prism.megatron")


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk. `state` is what the loop saved beside the weights."""

    path: Path
    step: int
    state: Mapping[str, Any]

    @property
    def identity(self) -> str:
        """A hash that names this checkpoint's content: its state, names and sizes of its files."""
        files = sorted((file.name, file.stat().st_size) for file in self.path.iterdir() if file.is_file())
        return fingerprint([dict(self.state), files])


def step_directory(directory: Path, step: int) -> Path:
    return directory / step_name(step)


def complete(directory: Path) -> list[Path]:
    """Complete checkpoints under `directory`, oldest first."""
    if not directory.is_dir():
        return []
    found = [path for path in directory.iterdir() if _NAME.match(path.name) and (path / "state.json").is_file()]
    return sorted(found, key=lambda path: path.name)


def latest(directory: Path) -> Checkpoint | None:
    """The newest complete checkpoint, or None."""
    paths = complete(directory)
    return read(paths[-1]) if paths else None


def require_latest(directory: Path) -> Checkpoint:
    """Raises BadInput when there is no complete checkpoint."""
    found = latest(directory)
    if found is None:
        raise BadInput("no complete checkpoint", place=str(directory), remedy="run the stage that makes it")
    return found


def read(path: Path) -> Checkpoint:
    """Reads what a checkpoint says of itself.

    Raises:
        BadInput: it was written by a release with another schema.
    """
    state = read_json(path / "state.json")
    version = state.get("schema_version")
    if version != SCHEMA_VERSION:
        raise BadInput(
            f"checkpoint schema {version}, this release reads {SCHEMA_VERSION}",
            place=str(path),
            remedy="use the release of prism-megatron that wrote it",
        )
    return Checkpoint(path, int(state["step"]), state)


def save(
    directory: Path,
    step: int,
    chunk: torch.nn.Module,
    optimizer: MegatronOptimizer | None,
    state: Mapping[str, Any],
    frozen: Mapping[str, torch.nn.Module] | None = None,
) -> Checkpoint:
    """Writes `directory/step_N` from every rank. Collective: all ranks call it.

    Args:
        frozen: further models to keep, such as RL's reference, by the name that prefixes their weights.
    """
    final = step_directory(directory, step)
    temporary = directory / f".{final.name}.tmp"
    if is_first_rank():
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
    dist.barrier()
    weights = unwrap(chunk).sharded_state_dict()
    tree: dict[str, Any] = {"model": weights}
    if optimizer is not None:
        tree["optimizer"] = optimizer.sharded_state_dict(weights)
    for name, module in (frozen or {}).items():
        tree[name] = unwrap(module).sharded_state_dict(prefix=f"{name}.")
    # A synchronous save needs no manager process to pass results back; starting one re-imports everything.
    filesystem_async._results_queue = queue.SimpleQueue()
    dist_checkpointing.save(tree, str(temporary))
    save_file(_random_state(), temporary / f"rng_{dist.get_rank():05d}.safetensors")
    dist.barrier()
    if is_first_rank():
        write_json(temporary / "state.json", {"schema_version": SCHEMA_VERSION, "step": step, **state})
        for file in temporary.iterdir():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
        sync_directory(temporary)
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)
        sync_directory(directory)
    dist.barrier()
    return read(final)


def load(checkpoint: Checkpoint, chunk: torch.nn.Module, optimizer: MegatronOptimizer | None = None) -> None:
    """Loads weights (and optimizer and random state) into this rank's part, whatever layout wrote them.

    Raises:
        BadInput: the files are damaged or hold another model.
    """
    read_metadata(checkpoint.path)  # refuses what torch's own reader would unpickle freely
    module = unwrap(chunk)
    weights = module.sharded_state_dict()
    tree: dict[str, Any] = {"model": weights}
    if optimizer is not None:
        tree["optimizer"] = optimizer.sharded_state_dict(weights, is_loading=True)
    try:
        loaded = dist_checkpointing.load(tree, str(checkpoint.path))
    except (Exception, CheckpointException) as error:
        raise BadInput(
            f"can't be loaded ({_reason(error)})",
            place=str(checkpoint.path),
            remedy="check that the recipe's model is the one that was saved, or go back to an earlier checkpoint",
        ) from error
    module.load_state_dict(loaded["model"])
    if optimizer is not None:
        optimizer.load_state_dict(loaded["optimizer"])
        _restore_random_state(checkpoint.path)


def _reason(error: BaseException) -> str:
    """One line of what went wrong; torch wraps it in an exception for all ranks."""
    if isinstance(error, CheckpointException) and error.failures:
        error = next(iter(error.failures.values()))[0]
    text = str(error).strip().splitlines() or ["no message"]
    return f"{type(error).__name__}: {text[0][:200]}"


def load_frozen(checkpoint: Checkpoint, module: torch.nn.Module, name: str) -> None:
    """Loads a further model that `save` kept under `name`."""
    read_metadata(checkpoint.path)  # refuses what torch's own reader would unpickle freely
    bare = unwrap(module)
    tree = {name: bare.sharded_state_dict(prefix=f"{name}.")}
    loaded = dist_checkpointing.load(tree, str(checkpoint.path))[name]
    bare.load_state_dict({key.removeprefix(f"{name}."): value for key, value in loaded.items()})


def whole_weights(checkpoint: Checkpoint) -> Iterator[tuple[str, torch.Tensor]]:
    """Every weight as one tensor, whatever layout saved it: (name, tensor), layers taken apart, Mamba's parts joined.

    Reads on this process alone; needs neither a model nor process groups.
    """
    saved = TorchDist(checkpoint.path)
    for name in saved.names():
        yield name, saved.read(name)


def unwrap(chunk: torch.nn.Module) -> Any:
    """The model inside the data-parallel wrapper, whose names are those of the checkpoint; untyped as Megatron."""
    return chunk.module if isinstance(chunk, DistributedDataParallel) else chunk


def prune(directory: Path, keep_last: int) -> None:
    """Removes all but the newest `keep_last` checkpoints (first rank only)."""
    if not is_first_rank():
        return
    for path in complete(directory)[: -keep_last or None]:
        shutil.rmtree(path)


def _random_state() -> dict[str, torch.Tensor]:
    states = {"torch": torch.random.get_rng_state()}
    states.update({f"tracker.{name}": state for name, state in get_cuda_rng_tracker().get_states().items()})
    return states


def _restore_random_state(path: Path) -> None:
    file = path / f"rng_{dist.get_rank():05d}.safetensors"
    if not file.is_file():
        log.info("%s: saved by fewer ranks; this rank keeps its fresh random state", path)
        return
    states = load_file(file)
    torch.random.set_rng_state(states.pop("torch"))
    get_cuda_rng_tracker().set_states({name.removeprefix("tracker."): state for name, state in states.items()})
