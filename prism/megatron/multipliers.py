"""What a model does around its layers and megatron-core doesn't: Granite's multipliers, and padding out of the way.

Granite multiplies embeddings, residual writes, attention scores (`softmax_scale` of megatron-core's configuration)
and logits. That happens at run time: folded into the weights it would distort the analysis of weights, and change
what an optimizer step does.
"""

from __future__ import annotations

from collections.abc import Callable
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


def mask_padding(module: Any, vocab_size: int, padded: int) -> None:
    """Makes rows that only pad the vocabulary impossible: without it they take a share of the probability.

    Args:
        vocab_size: tokens of the model.
        padded: rows of the output layer over all tensor-parallel ranks.
    """
    if vocab_size == padded or not module.post_process:
        return

    def mask(layer: Any, inputs: Any, output: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor | None]:
        logits, bias = output
        columns = logits.shape[-1]  # all of them where the layer gathered them, else this rank's
        first = 0 if columns == padded else columns * parallel_state.get_tensor_model_parallel_rank()
        logits[..., max(0, vocab_size - first) :] = float("-inf")
        return logits, bias

    module.output_layer.register_forward_hook(mask)


def scale_embedding_and_logits(module: Any, model: ModelConfig) -> None:
    """Makes a model chunk multiply its embeddings and divide its logits, tied weights or not."""
    if hasattr(module, "embedding") and model.embedding_multiplier != 1.0 and module.pre_process:
        module.embedding.register_forward_hook(lambda layer, inputs, output: output * model.embedding_multiplier)
    if model.logits_scaling != 1.0 and module.post_process:
        module.output_layer.register_forward_hook(
            lambda layer, inputs, output: (output[0] / model.logits_scaling, output[1])
        )
