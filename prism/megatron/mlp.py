"""megatron-core's MLP with this project's activations."""

from __future__ import annotations

from typing import Any

from megatron.core.transformer.mlp import MLP, MLPSubmodules
from megatron.core.transformer.transformer_config import TransformerConfig
from torch import Tensor

from prism.kernels.activation import squared_relu, swiglu
from prism.megatron.linear import column_parallel, row_parallel


class PrismMLP(MLP):
    """linear_fc1, SwiGLU or squared ReLU, linear_fc2; no biases."""

    def __init__(self, config: TransformerConfig, **kwargs: Any) -> None:
        parts = MLPSubmodules(linear_fc1=column_parallel(config), linear_fc2=row_parallel(config))
        super().__init__(config, parts, **kwargs)

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor | None]:
        """(seq, batch, hidden) -> ((seq, batch, hidden), None)."""
        output, bias = self.linear_fc2(self.activated(hidden_states))
        return output, bias

    def activated(self, hidden: Tensor) -> Tensor:
        """What goes into linear_fc2: (..., hidden) -> (..., inner width on this rank)."""
        inner, _bias = self.linear_fc1(hidden)
        return swiglu(inner) if self.config.gated_linear_unit else squared_relu(inner)
