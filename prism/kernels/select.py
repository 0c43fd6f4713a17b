"""The one place that chooses between torch references and fused CUDA kernels."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor

from prism.kernels import fused
from prism.kernels.conv import causal_conv
from prism.kernels.ssd import Scanned, ssd_scan

log = logging.getLogger("prism.kernels")


class Scan(Protocol):
    """See `prism.kernels.ssd.ssd_scan`."""

    def __call__(
        self,
        x: Tensor,
        dt: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        D: Tensor | None = ...,
        *,
        chunk_size: int,
        initial_state: Tensor | None = ...,
        seq_idx: Tensor | None = ...,
        with_state: bool = ...,
    ) -> Scanned: ...


class Conv(Protocol):
    """See `prism.kernels.conv.causal_conv`."""

    def __call__(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        *,
        initial_state: Tensor | None = ...,
        seq_idx: Tensor | None = ...,
    ) -> Tensor: ...


@dataclass(frozen=True)
class Kernels:
    """The operations that exist in a torch and a fused form. `reasons` says, by name, which was taken and why."""

    scan: Scan
    conv: Conv
    reasons: Mapping[str, str] = field(default_factory=dict)


@cache
def choose(device: torch.device, dtype: torch.dtype) -> Kernels:
    """Fused kernels on CUDA where their packages import, torch references everywhere else; logs each choice.

    Args:
        dtype: of the activations; the fused kernels know float32, float16 and bfloat16.
    """
    scan, why_scan = _pick("mamba_ssm.ops.triton.ssd_combined", device, dtype)
    conv, why_conv = _pick("causal_conv1d", device, dtype)
    kernels = Kernels(
        scan=fused.ssd_scan(scan) if scan else ssd_scan,
        conv=fused.causal_conv(conv) if conv else causal_conv,
        reasons={
            "scan": why_scan,
            "conv": why_conv,
            "attention": "torch picks flash or plain math by itself",
        },
    )
    for name, reason in kernels.reasons.items():
        log.info("%s on %s %s: %s", name, device.type, str(dtype).removeprefix("torch."), reason)
    return kernels


def _pick(module: str, device: torch.device, dtype: torch.dtype) -> tuple[Any, str]:
    """The fused module, or None, and the reason."""
    package = module.partition(".")[0]
    if device.type != "cuda":
        return None, f"torch, because {package} needs CUDA"
    if dtype not in (torch.float32, torch.float16, torch.bfloat16):
        return None, f"torch, because {package} doesn't know {dtype}"
    try:
        return importlib.import_module(module), f"{package}, because it imports"
    except ImportError as error:
        return None, f"torch, because {package} doesn't import ({error})"
