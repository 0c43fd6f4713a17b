"""Nemotron-H's weight map, with the names of the published checkpoint (`backbone.`, not transformers' `model.`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prism.models.weights import Weight, attention, embedding, mamba, mlp, norm, output_layer

if TYPE_CHECKING:
    from prism.recipe import ModelConfig

_NORMS = {"M": "norm", "*": "input_layernorm", "-": "pre_mlp_layernorm"}


def weight_map(model: ModelConfig, vocab_size: int) -> Iterator[Weight]:
    """Every weight, from the embedding to the output layer."""
    yield embedding(model, vocab_size, "backbone.embeddings.weight")
    for layer, kind in enumerate(model.hybrid_pattern or ""):
        ours, theirs = f"decoder.layers.{layer}.", f"backbone.layers.{layer}."
        yield norm(model, f"{ours}{_NORMS[kind]}.weight", f"{theirs}norm.weight")
        if kind == "M":
            yield from mamba(model, ours, f"{theirs}mixer.")
        elif kind == "*":
            yield from attention(model, ours, f"{theirs}mixer.")
        else:
            yield from mlp(model, ours, [f"{theirs}mixer.up_proj.weight"], f"{theirs}mixer.down_proj.weight")
    yield norm(model, "decoder.final_norm.weight", "backbone.norm_f.weight")
    yield from output_layer(model, vocab_size)
