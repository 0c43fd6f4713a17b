"""From Megatron's names to LLaMA's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import Tensor

from prism.models.attention_weights import layer_and_rest, split_qkv

if TYPE_CHECKING:
    from prism.recipe import ModelConfig

_WHOLE = {
    "decoder.final_layernorm.weight": "model.norm.weight",
    "embedding.word_embeddings.weight": "model.embed_tokens.weight",
    "output_layer.weight": "lm_head.weight",
}
_IN_LAYER = {
    "input_layernorm.weight": "input_layernorm.weight",
    "pre_mlp_layernorm.weight": "post_attention_layernorm.weight",
    "self_attention.linear_proj.weight": "self_attn.o_proj.weight",
    "mlp.linear_fc2.weight": "mlp.down_proj.weight",
}


def to_hf(name: str, tensor: Tensor, model: ModelConfig) -> Iterator[tuple[str, Tensor]]:
    """One Megatron weight as the Hugging Face weights it holds.

    Raises:
        KeyError: the family doesn't know the name.
    """
    if name in _WHOLE:
        yield _WHOLE[name], tensor
        return
    layer, rest = layer_and_rest(name)
    prefix = f"model.layers.{layer}"
    if rest == "self_attention.linear_qkv.weight":
        for part, matrix in zip("qkv", split_qkv(tensor, model), strict=True):
            yield f"{prefix}.self_attn.{part}_proj.weight", matrix
    elif rest == "mlp.linear_fc1.weight":
        for part, matrix in zip(("gate", "up"), tensor.chunk(2), strict=True):
            yield f"{prefix}.mlp.{part}_proj.weight", matrix
    else:
        yield f"{prefix}.{_IN_LAYER[rest]}", tensor
