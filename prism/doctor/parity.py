"""Kernels against the torch references in float64, on one small input: outputs and gradients.

The reference runs on the CPU on the same inputs, already rounded to the kernel's dtype, so the differences are the
kernel's own. Shapes are odd on purpose: the length is no multiple of the chunk, and a row holds several documents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from prism.kernels.attention import attention
from prism.kernels.conv import causal_conv
from prism.kernels.select import Conv, Scan
from prism.kernels.ssd import ssd_scan

TOLERANCES = {
    ("cpu", torch.float32): 1e-4,
    ("cpu", torch.bfloat16): 2e-2,
    ("cuda", torch.float32): 5e-3,
    ("cuda", torch.bfloat16): 2e-2,
}
"""Relative L2 of a tensor. On CUDA float32 matrices may be multiplied in TF32 (10 bits); bf16 keeps 8 bits. Those of
CUDA come from these spacings and were not held to a GPU.
"""

_BATCH, _LENGTH, _HEADS, _HEAD_DIM, _GROUPS, _STATE, _CHUNK = 2, 300, 4, 64, 2, 64, 128
_DOCUMENTS = (0, 100, 128, 257)


@dataclass(frozen=True)
class Parity:
    """`differences`: relative L2 by tensor, gradients as d<input>."""

    kernel: str
    differences: Mapping[str, float]
    tolerance: float

    @property
    def worst(self) -> tuple[str, float]:
        """Name and difference of the tensor that differs most; one that isn't finite differs most of all."""
        return max(self.differences.items(), key=lambda item: item[1] if item[1] == item[1] else float("inf"))

    @property
    def holds(self) -> bool:
        return self.worst[1] <= self.tolerance


def scan_parity(scan: Scan, device: torch.device, dtype: torch.dtype) -> Parity:
    """Mamba-2's scan over packed documents."""
    draw = _draws()
    given = {
        "x": draw(_BATCH, _LENGTH, _HEADS, _HEAD_DIM).to(dtype),
        "dt": F.softplus(draw(_BATCH, _LENGTH, _HEADS) - 1),
        "A": -draw(_HEADS).abs() - 0.5,
        "B": draw(_BATCH, _LENGTH, _GROUPS, _STATE).to(dtype),
        "C": draw(_BATCH, _LENGTH, _GROUPS, _STATE).to(dtype),
        "D": draw(_HEADS),
    }

    def run(function: Scan, tensors: Sequence[Tensor], numbers: Tensor) -> Tensor:
        x, dt, a, b, c, d = tensors
        return function(x, dt, a, b, c, d, chunk_size=_CHUNK, seq_idx=numbers).y

    return _compare("scan", lambda *args: run(scan, *args), lambda *args: run(ssd_scan, *args), given, device, dtype)


def conv_parity(conv: Conv, device: torch.device, dtype: torch.dtype) -> Parity:
    """The causal convolution over packed documents."""
    draw, channels = _draws(), 96
    given = {
        "x": draw(_BATCH, _LENGTH, channels).to(dtype),
        "weight": draw(channels, 4).to(dtype),
        "bias": draw(channels).to(dtype),
    }

    def run(function: Conv, tensors: Sequence[Tensor], numbers: Tensor) -> Tensor:
        x, weight, bias = tensors
        return function(x, weight, bias, seq_idx=numbers)

    return _compare("conv", lambda *args: run(conv, *args), lambda *args: run(causal_conv, *args), given, device, dtype)


def attention_parity(device: torch.device, dtype: torch.dtype) -> Parity:
    """Causal attention with grouped queries, as torch picks it on the device, against plain math."""
    draw = _draws()
    given = {
        "query": draw(_BATCH, _HEADS, _LENGTH, _HEAD_DIM).to(dtype),
        "key": draw(_BATCH, _GROUPS, _LENGTH, _HEAD_DIM).to(dtype),
        "value": draw(_BATCH, _GROUPS, _LENGTH, _HEAD_DIM).to(dtype),
    }

    def fused(tensors: Sequence[Tensor], numbers: Tensor) -> Tensor:
        query, key, value = tensors
        return attention(query, key, value, causal=True)

    def plain(tensors: Sequence[Tensor], numbers: Tensor) -> Tensor:
        query, key, value = tensors
        key, value = (part.repeat_interleave(_HEADS // _GROUPS, 1) for part in (key, value))
        scores = query @ key.mT * _HEAD_DIM**-0.5
        hidden = torch.ones(_LENGTH, _LENGTH, dtype=torch.bool).triu(1)
        return torch.softmax(scores.masked_fill(hidden, float("-inf")), -1) @ value

    return _compare("attention", fused, plain, given, device, dtype)


def _compare(
    kernel: str,
    run: Callable[[Sequence[Tensor], Tensor], Tensor],
    reference: Callable[[Sequence[Tensor], Tensor], Tensor],
    given: Mapping[str, Tensor],
    device: torch.device,
    dtype: torch.dtype,
) -> Parity:
    numbers = torch.bucketize(torch.arange(_LENGTH), torch.tensor(_DOCUMENTS), right=True).expand(_BATCH, -1) - 1
    weights: Tensor | None = None

    def both(function: Any, place: torch.device, kind: torch.dtype | None) -> dict[str, Tensor]:
        nonlocal weights
        leaves = [tensor.to(place, kind or tensor.dtype).requires_grad_() for tensor in given.values()]
        out = function(leaves, numbers.to(place))
        weights = _draws()(*out.shape).to(dtype) if weights is None else weights
        gradients = torch.autograd.grad((out * weights.to(out)).sum(), leaves)
        return {"output": out.detach(), **{f"d{name}": part for name, part in zip(given, gradients, strict=True)}}

    wanted = both(reference, torch.device("cpu"), torch.float64)
    found = both(run, device, None)
    differences = {name: _relative(found[name], wanted[name]) for name in wanted}
    return Parity(kernel, differences, TOLERANCES[device.type, dtype])


def _relative(found: Tensor, wanted: Tensor) -> float:
    return float((found.double().cpu() - wanted).norm() / wanted.norm())


def _draws() -> Callable[..., Tensor]:
    generator = torch.Generator().manual_seed(11)
    return lambda *shape: torch.randn(shape, generator=generator)
