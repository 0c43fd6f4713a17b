"""A family's weight map: every weight by Megatron's name, and the Hugging Face tensors it is made of.

The map lists all weights of a model, so a checkpoint can be checked both ways: nothing missing, nothing left over,
every shape as it should be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from prism.models.dense_config import head_dim

if TYPE_CHECKING:
    from prism.recipe import ModelConfig

Join = Literal["copy", "rows", "qkv"]
"""How the parts make the whole: the same tensor, one below the other, or interleaved by key-value group."""


@dataclass(frozen=True)
class HfTensor:
    """A tensor of a Hugging Face checkpoint."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Weight:
    """A weight of the Megatron model, whole (not cut for any layout).

    Args:
        name: Megatron's, layers numbered through: `decoder.layers.3.mlp.linear_fc1.weight`.
        vocabulary: rows are tokens; in Megatron they are padded.
    """

    name: str
    parts: tuple[HfTensor, ...]
    join: Join = "copy"
    vocabulary: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole, without padding."""
        first = self.parts[0].shape
        return (sum(part.shape[0] for part in self.parts), *first[1:])


def join(weight: Weight, parts: Sequence[Tensor], model: ModelConfig) -> Tensor:
    """The Megatron weight of `weight`'s Hugging Face tensors, given in the map's order."""
    match weight.join:
        case "copy":
            return parts[0]
        case "rows":
            return torch.cat(list(parts))
        case "qkv":
            groups = _groups(model)
            cut = [part.view(groups, -1, head_dim(model), part.shape[-1]) for part in parts]
            return torch.cat(cut, 1).reshape(-1, parts[0].shape[-1])


def split(weight: Weight, whole: Tensor, model: ModelConfig) -> list[Tensor]:
    """The other way: Hugging Face tensors in the map's order."""
    match weight.join:
        case "copy":
            return [whole]
        case "rows":
            return list(whole.split([part.shape[0] for part in weight.parts]))
        case "qkv":
            groups, hidden = _groups(model), whole.shape[-1]
            queries = model.num_attention_heads // groups
            cut = whole.view(groups, queries + 2, head_dim(model), hidden).split([queries, 1, 1], 1)
            return [part.reshape(-1, hidden) for part in cut]


def embedding(model: ModelConfig, vocab_size: int, name: str) -> Weight:
    shape = (vocab_size, model.hidden_size)
    return Weight("embedding.word_embeddings.weight", (HfTensor(name, shape),), vocabulary=True)


def output_layer(model: ModelConfig, vocab_size: int, name: str = "lm_head.weight") -> Iterator[Weight]:
    """Nothing where the embedding is shared."""
    if not model.tie_embeddings:
        shape = (vocab_size, model.hidden_size)
        yield Weight("output_layer.weight", (HfTensor(name, shape),), vocabulary=True)


def norm(model: ModelConfig, ours: str, theirs: str) -> Weight:
    return Weight(ours, (HfTensor(theirs, (model.hidden_size,)),))


def attention(model: ModelConfig, ours: str, theirs: str) -> Iterator[Weight]:
    """Query, key and value as one matrix, and the output projection. Both prefixes end with a dot."""
    hidden, head = model.hidden_size, head_dim(model)
    query = model.num_attention_heads * head
    rows = {"q": query, "k": _groups(model) * head, "v": _groups(model) * head}
    parts = tuple(HfTensor(f"{theirs}{part}_proj.weight", (count, hidden)) for part, count in rows.items())
    yield Weight(f"{ours}self_attention.linear_qkv.weight", parts, "qkv")
    yield Weight(f"{ours}self_attention.linear_proj.weight", (HfTensor(f"{theirs}o_proj.weight", (hidden, query)),))


def mlp(model: ModelConfig, ours: str, first: Sequence[str], last: str) -> Iterator[Weight]:
    """linear_fc1 of the tensors `first` (gate and up, one matrix of both, or up alone) and linear_fc2 of `last`."""
    rows = model.ffn_hidden_size * (2 if model.activation == "swiglu" else 1) // len(first)
    parts = tuple(HfTensor(name, (rows, model.hidden_size)) for name in first)
    yield Weight(f"{ours}mlp.linear_fc1.weight", parts, "rows" if len(parts) > 1 else "copy")
    yield Weight(f"{ours}mlp.linear_fc2.weight", (HfTensor(last, (model.hidden_size, model.ffn_hidden_size)),))


def mamba(model: ModelConfig, ours: str, theirs: str) -> Iterator[Weight]:
    """A Mamba-2 mixer; both sides have the same names and the same order of rows."""
    mamba, hidden = model.mamba, model.hidden_size
    assert mamba is not None  # a pattern with M needs the section
    inner, heads = mamba.inner_size, mamba.inner_size // mamba.head_dim
    channels = inner + 2 * mamba.num_groups * mamba.state_dim
    shapes: dict[str, tuple[int, ...]] = {
        "in_proj.weight": (inner + channels + heads, hidden),
        "conv1d.weight": (channels, 1, mamba.conv_kernel),
        "conv1d.bias": (channels,),
        "A_log": (heads,),
        "D": (heads,),
        "dt_bias": (heads,),
        "norm.weight": (inner,),
        "out_proj.weight": (hidden, inner),
    }
    for name, shape in shapes.items():
        yield Weight(f"{ours}mixer.{name}", (HfTensor(f"{theirs}{name}", shape),))


def _groups(model: ModelConfig) -> int:
    return model.num_query_groups or model.num_attention_heads
