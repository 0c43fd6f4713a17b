"""Sizes of a model, from the recipe alone."""

from __future__ import annotations

from prism.recipe import ModelConfig


def parameter_count(model: ModelConfig) -> int:
    """Parameters of the model; embeddings and output layer only when the recipe states the vocabulary."""
    layers = sum(_layer(model, kind) for kind in model.hybrid_pattern or "")
    if model.hybrid_pattern is None:
        layers = model.num_layers * (_layer(model, "*") + _layer(model, "-"))
    tables = (1 if model.tie_embeddings else 2) * (model.vocab_size or 0) * model.hidden_size
    return layers + tables + model.hidden_size


def _layer(model: ModelConfig, kind: str) -> int:
    hidden = model.hidden_size
    if kind == "*":
        head = model.head_dim or hidden // model.num_attention_heads
        groups = model.num_query_groups or model.num_attention_heads
        return hidden + hidden * head * (2 * model.num_attention_heads + 2 * groups)
    if kind == "-":
        matrices = 3 if model.activation == "swiglu" else 2
        return hidden + matrices * hidden * model.ffn_hidden_size
    mamba = model.mamba
    assert mamba is not None  # the recipe's checks require it
    heads = mamba.inner_size // mamba.head_dim
    channels = mamba.inner_size + 2 * mamba.num_groups * mamba.state_dim
    in_proj = hidden * (mamba.inner_size + channels + heads)
    conv = channels * (mamba.conv_kernel + 1)
    return hidden + in_proj + conv + 3 * heads + mamba.inner_size + mamba.inner_size * hidden


def state_bytes(parameters: int, precision: str) -> int:
    """Bytes of weights, fp32 gradients and AdamW's state; narrower weights have an fp32 master beside them."""
    weights = 2 + 4 if precision != "fp32" else 4
    return parameters * (weights + 4 + 8)
