"""What a model does around its layers and megatron-core doesn't: Granite's multipliers, and padding out of the way.

Granite multiplies embeddings, residual writes, attention scores (`softmax_scale` of megatron-core's configuration)
and logits. That happens at run time: folded into the weights it would distort the analysis of weights, and change
what an optimizer step does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from megatron.core import parallel_state
from megatron.core.fusions.fused_bias_dropout import get_bias_dropout_add
from torch import Tensor

if TYPE_CHECKING:
    from prism.recipe import ModelConfig

ResidualAdd = Callable[[tuple[Tensor, Tensor | None], Tensor, float], Tensor]


def residual_add(model: ModelConfig) -> Callable[..., ResidualAdd]:
    """What a layer spec takes as `bias_dropout_add`: residual + multiplier x output."""
    multiplier = model.residual_multiplier
    if multiplier == 1.0:
        return get_bias_dropout_add  # type: ignore[no-any-return]

    def choose(training: bool, fused: bool) -> ResidualAdd:
        def add(output_and_bias: tuple[Tensor, Tensor | None], residual: Tensor, dropout: float) -> Tensor:
            output, _bias = output_and_bias  # no layer here has a bias or dropout
            return torch.add(residual, output, alpha=multiplier)

        return add

    return choose


def remember_multiplier(module: Any, model: ModelConfig) -> None:
    """Notes on a chunk what its layers multiply their residual writes by."""
    module.residual_multiplier = model.residual_multiplier


def residual_multiplier(module: Any) -> float:
    """See `remember_multiplier`."""
    return float(module.residual_multiplier)


@dataclass(frozen=True)
class LogitsRule:
    """What the output layer's product still needs to be logits: Granite's divisor, and padding out of the way.

    Rows that only pad the vocabulary would take a share of the probability; their logits become minus infinity.

    scaling: what logits are divided by.
    vocabulary: tokens of the model.
    padded: rows of the output layer over all tensor-parallel ranks.
    """

    scaling: float
    vocabulary: int
    padded: int

    def own_tokens(self, columns: int) -> int:
        """How many of a rank's columns are tokens; the rest is padding. All ranks' where the layer gathered them."""
        first = 0 if columns == self.padded else columns * parallel_state.get_tensor_model_parallel_rank()
        return min(columns, max(0, self.vocabulary - first))

    def hook(self, layer: Any, inputs: Any, output: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor | None]:
        """A forward hook of the output layer; its tensor must not be used by others."""
        logits, bias = output
        if self.scaling != 1.0:
            logits = logits / self.scaling
        if self.vocabulary != self.padded:
            logits[..., self.own_tokens(logits.shape[-1]) :] = float("-inf")
        return logits, bias


def scale_embedding(module: Any, model: ModelConfig) -> None:
    """Makes a model chunk multiply its embeddings, tied weights or not."""
    if hasattr(module, "embedding") and model.embedding_multiplier != 1.0 and module.pre_process:
        module.embedding.register_forward_hook(lambda layer, inputs, output: output * model.embedding_multiplier)
