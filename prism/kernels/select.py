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

from prism.errors import RecipeError
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


_wishes: dict[str, str] = {}


def demand(scan: str = "auto", conv: str = "auto") -> None:
    """Says what a recipe wants: "auto", "torch", or the name of a fused kernel's package. Holds for the process."""
    _wishes.update(scan=scan, conv=conv)
    choose.cache_clear()


@cache
def choose(device: torch.device, dtype: torch.dtype) -> Kernels:
    """Fused kernels on CUDA where their packages import, torch references everywhere else; logs each choice.

    Args:
        dtype: of the activations; the fused kernels know float32, float16 and bfloat16.

    Raises:
        RecipeError: a kernel that the recipe names can't be used here.
    """
    scan, why_scan = _pick("scan", "mamba_ssm.ops.triton.ssd_combined", device, dtype)
    conv, why_conv = _pick("conv", "causal_conv1d", device, dtype)
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


def _pick(operation: str, module: str, device: torch.device, dtype: torch.dtype) -> tuple[Any, str]:
    """The fused module, or None, and the reason."""
    wish, package = _wishes.get(operation, "auto"), module.partition(".")[0]
    if wish == "torch":
        return None, f"torch, because kernels.{operation} says so"
    found, obstacle = None, None
    if device.type != "cuda":
        obstacle = f"{package} needs CUDA"
    elif dtype not in (torch.float32, torch.float16, torch.bfloat16):
        obstacle = f"{package} doesn't know {dtype}"
    else:
        found, obstacle = try_import(module)
    if obstacle is None:
        return found, f"{package}, because it imports"
    if wish == package:
        raise RecipeError(
            f"{package} can't be used: {obstacle}",
            place=f"kernels.{operation}",
            remedy="install the extra cuda against this torch on a machine with a GPU, or set it to auto",
        )
    return None, f"torch, because {obstacle}"


def require_fp8(device: torch.device) -> None:
    """Says that linear layers run in fp8.

    Raises:
        RecipeError: there is no CUDA device, or Transformer Engine doesn't import.
    """
    obstacle = "it needs CUDA" if device.type != "cuda" else try_import("transformer_engine.pytorch")[1]
    if obstacle is not None:
        raise RecipeError(
            f"fp8 needs Transformer Engine, which can't be used: {obstacle}",
            place="precision",
            remedy="set it to bf16, or use the container of containers/ on a GPU with fp8 (Ada, Hopper or later)",
        )
    log.info("linear layers on %s fp8: transformer_engine, because the precision asks for it", device.type)


def try_import(module: str) -> tuple[Any, str | None]:
    """The module, or what keeps it from being imported; a binary of another torch is called so."""
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module), None
    except ModuleNotFoundError as error:
        return None, f"{package} isn't there ({error})"
    except (ImportError, OSError) as error:
        if "undefined symbol" in str(error):
            return None, f"{package} was built for another torch than {torch.__version__} ({error})"
        return None, f"{package} doesn't import ({error})"
