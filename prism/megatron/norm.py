"""RMSNorm, fit for sequence parallelism (megatron-core's WrappedTorchNorm refuses it)."""

from __future__ import annotations

from typing import Any

import torch
from megatron.core.transformer.transformer_config import TransformerConfig
from torch import Tensor

from prism.kernels.norm import rms_norm


class TorchRMSNorm(torch.nn.RMSNorm):
    """`weight` has shape (hidden,). Under sequence parallelism its gradient is reduced over TP by megatron-core."""

    def __init__(self, config: TransformerConfig, hidden_size: int, eps: float = 1e-5, **_: Any) -> None:
        super().__init__(hidden_size, eps=eps)
        weight: Any = self.weight
        weight.sequence_parallel = config.sequence_parallel

    def forward(self, x: Tensor) -> Tensor:
        """(..., hidden) -> (..., hidden)."""
        assert self.eps is not None
        return rms_norm(x, self.weight, self.eps)
