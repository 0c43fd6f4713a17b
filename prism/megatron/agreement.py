"""What all ranks of a run decide alike."""

from __future__ import annotations

import torch
import torch.distributed as dist

from prism.megatron.backend import backend


def on_any_rank(flag: bool) -> bool:
    """Whether `flag` is set on at least one rank. Collective."""
    if dist.get_world_size() == 1:
        return flag
    raised = torch.tensor([float(flag)], device=backend().device)
    dist.all_reduce(raised, op=dist.ReduceOp.MAX)
    return bool(raised.item())


def world_size() -> int:
    """Ranks of the run."""
    return dist.get_world_size()


def wait_for_all() -> None:
    """Returns when every rank has called it."""
    if dist.get_world_size() > 1:
        dist.barrier()
