"""Process groups: which rank holds which part of the model and of the batch."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from megatron.core.tensor_parallel.random import model_parallel_cuda_manual_seed

from prism.errors import UsageError
from prism.kernels.select import choose
from prism.megatron.backend import backend

Item = TypeVar("Item")

PATIENCE = timedelta(minutes=30)
"""torch's own for gloo and megatron-core's; NCCL's, of ten minutes, would end a hung run before the watchdog speaks."""


@dataclass(frozen=True)
class Layout:
    """How a model is spread and what its training keeps in memory; data parallel takes the rest of the processes.

    See `prism.recipe.ClusterConfig` for what each field means.
    """

    tensor: int = 1
    pipeline: int = 1
    context: int = 1
    sequence_parallel: bool = False
    virtual: int = 1
    distributed_optimizer: bool = True
    overlap_communication: bool = True
    offload_optimizer: float = 0.0
    recompute: str = "none"
    recompute_layers: int | None = None
    loss_chunk_tokens: int | None = None

    @property
    def model_parallel(self) -> int:
        """Processes that hold one replica."""
        return self.tensor * self.pipeline * self.context


@contextmanager
def model_parallel_groups(
    layout: Layout, seed: int, *, gloo: bool = True, patience: timedelta = PATIENCE
) -> Iterator[None]:
    """megatron-core's groups for `layout` over the processes of torch.distributed, which is up; ends them on the way
    out.

    Args:
        gloo: whether data-parallel groups get a twin on gloo, for transfers between hosts.
        patience: how long a rank waits for the others in a collective.
    """
    parallel_state.initialize_model_parallel(
        tensor_model_parallel_size=layout.tensor,
        pipeline_model_parallel_size=layout.pipeline,
        virtual_pipeline_model_parallel_size=layout.virtual if layout.virtual > 1 else None,
        context_parallel_size=layout.context,
        create_gloo_process_groups=gloo,
        distributed_timeout_minutes=math.ceil(patience / timedelta(minutes=1)),
    )
    try:
        seed_everything(seed)
        yield
    finally:
        parallel_state.destroy_model_parallel()


@contextmanager
def process_groups(layout: Layout, seed: int, patience: timedelta = PATIENCE) -> Iterator[None]:
    """Starts torch.distributed and megatron-core's groups for `layout`, and ends them on the way out.

    Reads the rank and world size that torchrun sets; alone, a process is a world of one. A rank waits for the others in
    a collective for `patience`.

    Raises:
        UsageError: the world size isn't a multiple of the layout's size.
        RecipeError: a kernel that the recipe names can't be used here.
    """
    choose(backend().device, torch.float32)  # says what is used, or that a kernel which the recipe names is absent
    world = int(os.environ.get("WORLD_SIZE", "1"))
    size = layout.model_parallel
    if world % size:
        raise UsageError(
            f"{world} processes can't hold TP {layout.tensor} x PP {layout.pipeline} x CP {layout.context} = {size}",
            place="cluster",
            remedy=f"start a multiple of {size} processes",
        )
    if world == 1:
        store = dist.HashStore()  # type: ignore[attr-defined]
        dist.init_process_group(backend().collective, store=store, rank=0, world_size=1)
    else:
        dist.init_process_group(backend().collective, timeout=patience)
    try:
        with model_parallel_groups(layout, seed, patience=patience):
            yield
    finally:
        dist.destroy_process_group()


def seed_everything(seed: int) -> None:
    """Seeds Python, torch and megatron-core's tensor-parallel RNG tracker."""
    random.seed(seed)
    torch.manual_seed(seed)
    model_parallel_cuda_manual_seed(seed, force_reset_rng=True)


def is_first_rank() -> bool:
    return dist.get_rank() == 0


def is_last_stage() -> bool:
    """True on the pipeline stage that holds the output layer, and thus the losses."""
    return bool(parallel_state.is_pipeline_last_stage())


def is_first_of_replica() -> bool:
    """True on one rank of those that hold a replica of the model together."""
    return (
        parallel_state.get_tensor_model_parallel_rank() == 0
        and parallel_state.get_context_parallel_rank() == 0
        and bool(parallel_state.is_pipeline_first_stage(ignore_virtual=True))
    )


def pipeline_size() -> int:
    return int(parallel_state.get_pipeline_model_parallel_world_size())


def data_parallel_rank() -> int:
    return int(parallel_state.get_data_parallel_rank())


def data_parallel_size() -> int:
    return int(parallel_state.get_data_parallel_world_size())


def share_from_last_stage(values: torch.Tensor) -> torch.Tensor:
    """Copies `values` of the last pipeline stage to every stage (in place); the shape must be known to all."""
    if parallel_state.get_pipeline_model_parallel_world_size() > 1:
        dist.broadcast(
            values,
            src=parallel_state.get_pipeline_model_parallel_last_rank(),
            group=parallel_state.get_pipeline_model_parallel_group(),
        )
    return values


def sum_over_data_parallel(values: torch.Tensor) -> torch.Tensor:
    """Sums `values` over the data-parallel group (in place)."""
    if data_parallel_size() > 1:
        dist.all_reduce(values, group=parallel_state.get_data_parallel_group())
    return values


def gather_over_data_parallel(items: list[Item]) -> list[list[Item]]:
    """Every data-parallel rank's list, by rank. Items must be plain Python values."""
    if data_parallel_size() == 1:
        return [items]
    gathered: list[list[Item]] = [[] for _ in range(data_parallel_size())]
    dist.all_gather_object(gathered, items, group=parallel_state.get_data_parallel_group())
    return gathered
