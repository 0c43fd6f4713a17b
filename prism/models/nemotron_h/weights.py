"""From Megatron's names to Nemotron-H's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import Tensor

from prism.models.attention_weights import layer_and_rest, split_qkv

if TYPE_CHECKING:
    from prism.recipe import ModelConfig

_WHOLE = {
    "decoder.final_norm.weight": "backbone.norm_f.weight",
    "embedding.word_embeddings.weight": "backbone.embeddings.weight",
    "output_layer.weight": "lm_head.weight",
}
_IN_LAYER = {
    "norm.weight": "norm.weight",
    "input_layernorm.weight": "norm.weight",
    "pre_mlp_layernorm.weight": "norm.weight",
    "self_attention.linear_proj.weight": "mixer.o_proj.weight",
    "mlp.linear_fc1.weight": "mixer.up_proj.weight",
    "mlp.linear_fc2.weight": "mixer.down_proj.weight",
}


def to_hf(name: str, tensor: Tensor, model: ModelConfig) -> Iterator[tuple[str, Tensor]]:
    """One Megatron weight as the Hugging Face weights it holds; Mamba's mixer keeps its names.

    Raises:
        KeyError: the family doesn't know the name.
    """
    if name in _WHOLE:
        yield _WHOLE[name], tensor
        return
    layer, rest = layer_and_rest(name)
    prefix = f"backbone.layers.{layer}"
    if rest == "self_attention.linear_qkv.weight":
        for part, matrix in zip("qkv", split_qkv(tensor, model), strict=True):
            yield f"{prefix}.mixer.{part}_proj.weight", matrix
    elif rest.startswith("mixer."):
        yield f"{prefix}.{rest}", tensor
    else:
        yield f"{prefix}.{_IN_LAYER[rest]}", tensor
