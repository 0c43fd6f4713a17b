"""Fused CUDA kernels behind the signatures of the torch references. Not run on CPU.

They follow mamba-ssm's `mamba_chunk_scan_combined` and causal-conv1d's `causal_conv1d_fn`.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from prism.kernels.ssd import Scanned


class _Module(Protocol):
    def __getattr__(self, name: str) -> Any: ...


def ssd_scan(module: _Module) -> Any:
    """`prism.kernels.ssd.ssd_scan` by mamba_ssm."""

    def scan(
        x: Tensor,
        dt: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        D: Tensor | None = None,
        *,
        chunk_size: int,
        initial_state: Tensor | None = None,
        seq_idx: Tensor | None = None,
        with_state: bool = False,
    ) -> Scanned:
        result = module.mamba_chunk_scan_combined(
            x,
            dt,
            A,
            B,
            C,
            chunk_size,
            D=D,
            initial_states=initial_state,
            # Their state before the first position belongs to document 0.
            seq_idx=None if seq_idx is None else (seq_idx - seq_idx[:, :1]).int(),
            return_final_states=with_state,
        )
        return Scanned(*result) if with_state else Scanned(result, None)

    return scan


def causal_conv(module: _Module) -> Any:
    """`prism.kernels.conv.causal_conv` by causal_conv1d, which wants (batch, channels, seq), channels adjacent."""

    def conv(
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        *,
        initial_state: Tensor | None = None,
        seq_idx: Tensor | None = None,
    ) -> Tensor:
        result: Tensor = module.causal_conv1d_fn(
            x.contiguous().mT,
            weight.to(x.dtype),
            bias.to(x.dtype),
            seq_idx=None if seq_idx is None else seq_idx.int(),
            initial_states=None if initial_state is None else _channels_last(initial_state),
            activation="silu",
        )
        return result.mT

    return conv


def _channels_last(state: Tensor) -> Tensor:
    return state.mT.contiguous(memory_format=torch.contiguous_format).mT
