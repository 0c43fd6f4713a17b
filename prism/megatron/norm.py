"""RMSNorm in torch, fit for sequence parallelism (megatron-core's WrappedTorchNorm refuses it)."""

from __future__ import annotations

from typing import Any

import torch
from megatron.core.transformer.transformer_config import TransformerConfig


class TorchRMSNorm(torch.nn.RMSNorm):
    """`weight` has shape (hidden,). Under sequence parallelism its gradient is reduced over TP by megatron-core."""

    def __init__(self, config: TransformerConfig, hidden_size: int, eps: float = 1e-5, **_: Any) -> None:
        super().__init__(hidden_size, eps=eps)
        weight: Any = self.weight
        weight.sequence_parallel = config.sequence_parallel
