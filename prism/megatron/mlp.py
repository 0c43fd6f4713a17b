"""megatron-core's MLP with this project's activations."""

from __future__ import annotations

from typing import Any

from megatron.core.transformer.mlp import MLP, MLPSubmodules
from megatron.core.transformer.transformer_config import TransformerConfig
from torch import Tensor

from prism.kernels.activation import squared_relu, swiglu
from prism.megatron.linear import column_parallel, row_parallel, rows_times


class PrismMLP(MLP):
    """linear_fc1, SwiGLU or squared ReLU, linear_fc2; no biases."""

    def __init__(self, config: TransformerConfig, **kwargs: Any) -> None:
        parts = MLPSubmodules(linear_fc1=column_parallel(config), linear_fc2=row_parallel(config))
        super().__init__(config, parts, **kwargs)

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor | None]:
        """(seq, batch, hidden) -> ((seq, batch, hidden), None)."""
        inner, _bias = self.linear_fc1(hidden_states)
        output, bias = self.linear_fc2(self._activated(inner))
        return output, bias

    def token(self, hidden: Tensor) -> Tensor:
        """One token a slot, up to linear_fc2: (slots, hidden) -> (slots, inner width on this rank)."""
        return self._activated(rows_times(self.linear_fc1, hidden))

    def _activated(self, inner: Tensor) -> Tensor:
        return swiglu(inner) if self.config.gated_linear_unit else squared_relu(inner)
