"""Megatron's fused query-key-value matrix and Hugging Face's three."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from prism.recipe import ModelConfig


def split_qkv(fused: Tensor, model: ModelConfig) -> tuple[Tensor, Tensor, Tensor]:
    """(groups x (queries a group + 2) x head_dim, hidden) -> query, key, value matrices.

    Megatron stores, group after group, the group's queries, then its key, then its value.
    """
    groups = model.num_query_groups or model.num_attention_heads
    queries = model.num_attention_heads // groups
    head_dim = model.head_dim or model.hidden_size // model.num_attention_heads
    hidden = fused.shape[-1]
    parts = fused.view(groups, queries + 2, head_dim, hidden)
    query, key, value = parts.split([queries, 1, 1], dim=1)
    return query.reshape(-1, hidden), key.reshape(-1, hidden), value.reshape(-1, hidden)


def layer_and_rest(name: str) -> tuple[int, str]:
    """`decoder.layers.3.mlp.linear_fc1.weight` -> (3, "mlp.linear_fc1.weight")."""
    _, _, tail = name.partition(".layers.")
    number, _, rest = tail.partition(".")
    return int(number), rest
