"""Granite 4's weight map."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prism.models.weights import Weight, attention, embedding, mamba, mlp, norm, output_layer

if TYPE_CHECKING:
    from prism.recipe import ModelConfig


def weight_map(model: ModelConfig, vocab_size: int) -> Iterator[Weight]:
    """Every weight, from the embedding to the output layer."""
    yield embedding(model, vocab_size, "model.embed_tokens.weight")
    mixers = model.hybrid_pattern[::2] if model.hybrid_pattern else "*" * model.num_layers
    for layer, mixer in enumerate(mixers):
        theirs = f"model.layers.{layer}."
        if model.hybrid_pattern:  # the published layer is two of Megatron's
            first, second = f"decoder.layers.{2 * layer}.", f"decoder.layers.{2 * layer + 1}."
        else:
            first = second = f"decoder.layers.{layer}."
        before = "norm" if mixer == "M" else "input_layernorm"
        yield norm(model, f"{first}{before}.weight", f"{theirs}input_layernorm.weight")
        if mixer == "M":
            yield from mamba(model, first, f"{theirs}mamba.")
        else:
            yield from attention(model, first, f"{theirs}self_attn.")
        yield norm(model, f"{second}pre_mlp_layernorm.weight", f"{theirs}post_attention_layernorm.weight")
        # input_linear holds gate and up, in this order, as Megatron's linear_fc1 does
        yield from mlp(
            model, second, [f"{theirs}shared_mlp.input_linear.weight"], f"{theirs}shared_mlp.output_linear.weight"
        )
    last = "final_norm" if model.hybrid_pattern else "final_layernorm"
    yield norm(model, f"decoder.{last}.weight", "model.norm.weight")
    yield from output_layer(model, vocab_size)
