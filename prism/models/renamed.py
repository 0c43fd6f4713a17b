"""A checkpoint seen under the names of the other format, so that one of each kind can be merged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from prism.formats.hf_folder import HfFolder
from prism.formats.weights import Weights
from prism.models.dense_config import head_dim
from prism.models.family import family_of
from prism.models.storage import check_hf, check_megatron
from prism.models.weights import Weight
from prism.recipe import ModelConfig


@dataclass(frozen=True)
class Extent:
    """Rows `first` to `first + rows` of a tensor of the source."""

    name: str
    first: int
    rows: int


@dataclass(frozen=True)
class Renamed:
    """Tensors that are put together from rows of `source`'s, in order."""

    source: Weights
    extents: Mapping[str, Sequence[Extent]]

    @property
    def path(self) -> Path:
        return self.source.path

    def names(self) -> list[str]:
        return list(self.extents)

    def __contains__(self, name: str) -> bool:
        return name in self.extents

    def shape(self, name: str) -> tuple[int, ...]:
        extents = self.extents[name]
        return (sum(extent.rows for extent in extents), *self.source.shape(extents[0].name)[1:])

    def dtype(self, name: str) -> torch.dtype:
        return self.source.dtype(self.extents[name][0].name)

    def read_into(self, name: str, first: int, tensor: Tensor) -> None:
        start = 0
        for extent in self.extents[name]:
            low, high = max(first, start), min(first + len(tensor), start + extent.rows)
            if low < high:
                self.source.read_into(extent.name, extent.first + low - start, tensor[low - first : high - first])
            start += extent.rows


def as_megatron(folder: HfFolder, model: ModelConfig) -> Renamed:
    """A Hugging Face folder under Megatron's names.

    Raises:
        BadInput: its tensors aren't those of `model`.
    """
    weights = _weights(model)
    check_hf(folder, weights, model.tie_embeddings)
    return Renamed(folder, {weight.name: list(_parts_of(weight, model)) for weight in weights})


def as_hf(checkpoint: Weights, model: ModelConfig) -> Renamed:
    """A Megatron checkpoint under Hugging Face's names, without the rows that pad its vocabulary.

    Raises:
        BadInput: its tensors aren't those of `model`.
    """
    weights = _weights(model)
    check_megatron(checkpoint, weights)
    extents: dict[str, list[Extent]] = defaultdict(list)
    for weight in weights:
        start = 0
        for part in _parts_of(weight, model):  # of one part in rising order, so each is put together in order
            extents[part.name].append(Extent(weight.name, start, part.rows))
            start += part.rows
    return Renamed(checkpoint, dict(extents))


def _weights(model: ModelConfig) -> list[Weight]:
    assert model.vocab_size is not None  # every config.json states it
    return list(family_of(model).weight_map(model, model.vocab_size))


def _parts_of(weight: Weight, model: ModelConfig) -> Iterator[Extent]:
    """Rows of the Hugging Face tensors that make a Megatron weight, from its first row to its last."""
    if weight.join != "qkv":
        for part in weight.parts:
            yield Extent(part.name, 0, part.shape[0])
        return
    groups = model.num_query_groups or model.num_attention_heads
    heads = (model.num_attention_heads // groups, 1, 1)
    for group in range(groups):
        for part, count in zip(weight.parts, heads, strict=True):
            rows = count * head_dim(model)
            yield Extent(part.name, group * rows, rows)
