"""LLaMA's weight map."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prism.models.weights import Weight, attention, embedding, mlp, norm, output_layer

if TYPE_CHECKING:
    from prism.recipe import ModelConfig


def weight_map(model: ModelConfig, vocab_size: int) -> Iterator[Weight]:
    """Every weight, from the embedding to the output layer."""
    yield embedding(model, vocab_size, "model.embed_tokens.weight")
    for layer in range(model.num_layers):
        ours, theirs = f"decoder.layers.{layer}.", f"model.layers.{layer}."
        yield norm(model, f"{ours}input_layernorm.weight", f"{theirs}input_layernorm.weight")
        yield from attention(model, ours, f"{theirs}self_attn.")
        yield norm(model, f"{ours}pre_mlp_layernorm.weight", f"{theirs}post_attention_layernorm.weight")
        gate_and_up = [f"{theirs}mlp.{part}_proj.weight" for part in ("gate", "up")]
        yield from mlp(model, ours, gate_and_up, f"{theirs}mlp.down_proj.weight")
    yield norm(model, "decoder.final_layernorm.weight", "model.norm.weight")
    yield from output_layer(model, vocab_size)
