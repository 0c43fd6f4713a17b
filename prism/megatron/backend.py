"""Chooses, once a process, what megatron-core runs on: CUDA when there is a device, else the CPU.

This is the one place where CPU and GPU part. On the CPU the calls that megatron-core makes on CUDA are
stood in for by `prism.megatron.cpu`; everything above (recipe, loop, checkpoint) is the same code.
"""

from __future__ import annotations

import logging
import os
import warnings
from dataclasses import dataclass
from functools import cache

import torch

from prism.errors import UsageError

log = logging.getLogger("prism.megatron")

ENVIRONMENT_KEY = "PRISM_BACKEND"

_ABSENT = ".*(Apex is not installed|Apex are not installed|cuda_graph_scope|tp_group is None)"
"""megatron-core's warnings of what a CPU never has; `prism doctor` shows the choices instead."""


@dataclass(frozen=True)
class Backend:
    """`collective` is the torch.distributed backend; `reason` says why this backend was chosen."""

    name: str
    device: torch.device
    collective: str
    reason: str


@cache
def backend() -> Backend:
    """The backend of this process: `PRISM_BACKEND=cpu|cuda` when set, else CUDA if a device is there.

    Raises:
        UsageError: CUDA is demanded and there is no device, or the name is unknown.
    """
    wish = os.environ.get(ENVIRONMENT_KEY, "auto")
    if wish not in ("auto", "cpu", "cuda"):
        raise UsageError(f"unknown backend {wish!r}", place=ENVIRONMENT_KEY, remedy="use one of auto, cpu, cuda")
    available = torch.cuda.is_available()
    if wish == "cuda" and not available:
        raise UsageError("no CUDA device is visible", place=ENVIRONMENT_KEY, remedy="unset it or set it to cpu")
    if available and wish != "cpu":
        local_rank = int(os.environ.get("LOCAL_RANK", "0"))
        return Backend("cuda", torch.device("cuda", local_rank), "nccl", "a CUDA device is visible")
    reason = f"{ENVIRONMENT_KEY}=cpu" if available else "no CUDA device is visible"
    return Backend("cpu", torch.device("cpu"), "gloo", reason)


@cache
def install() -> Backend:
    """Prepares this process for megatron-core; must run before megatron.core is imported."""
    chosen = backend()
    if chosen.name == "cpu":
        warnings.filterwarnings("ignore", message=_ABSENT)
        from prism.megatron import cpu

        cpu.stand_in_for_cuda()
    else:
        torch.cuda.set_device(chosen.device)
    log.info("backend %s (%s): %s", chosen.name, chosen.collective, chosen.reason)
    return chosen
