"""A model's weights in either kind of checkpoint: what must be there, what is, and how one becomes the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from prism.errors import BadInput
from prism.formats.hf_folder import HfFolder, OutTensor
from prism.formats.megatron_keys import MixerRows, Slot, extra_state_keys, padded_vocabulary, slots
from prism.formats.torch_dist import TorchDist
from prism.formats.torch_dist_writer import Piece
from prism.models.weights import Weight, join, split

if TYPE_CHECKING:
    from prism.recipe import ModelConfig


_SHOWN = 4
_IGNORED = ("rotary_emb.inv_freq",)
"""Ends of names of buffers that old checkpoints carry; they follow from the configuration."""


class Stored(Protocol):
    """A checkpoint's tensors by name."""

    @property
    def path(self) -> Path: ...

    def names(self) -> list[str]: ...

    def shape(self, name: str) -> tuple[int, ...]: ...


def check_hf(folder: HfFolder, weights: Sequence[Weight], tied: bool) -> None:
    """Raises BadInput that names tensors which are missing, left over or of another shape."""
    expected = {part.name: part.shape for weight in weights for part in weight.parts}
    ignored = {name for name in folder.names() if name.endswith(_IGNORED)}
    if tied and "lm_head.weight" not in expected:
        ignored.add("lm_head.weight")  # a copy of the embedding
    found = {name: folder.shape(name) for name in folder.names() if name not in ignored}
    _check(expected, found, folder.path)


def check_megatron(checkpoint: Stored, weights: Sequence[Weight]) -> None:
    """The same of a Megatron checkpoint; token tables may be padded to any size."""
    found = {name: checkpoint.shape(name) for name in checkpoint.names()}
    expected = {}
    for weight in weights:
        shape = weight.shape
        if weight.vocabulary and weight.name in found and found[weight.name][0] >= shape[0]:
            shape = (found[weight.name][0], *shape[1:])
        expected[weight.name] = shape
    _check(expected, found, checkpoint.path)


def _check(expected: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]], place: Path) -> None:
    missing = [name for name in expected if name not in found]
    extra = [name for name in found if name not in expected]
    shapes = [
        f"{name} is {_by(found[name])}, not {_by(shape)}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    problems = [
        text
        for text in (_list("missing", missing), _list("left over", extra), _list("of another shape", shapes))
        if text
    ]
    if problems:
        raise BadInput(
            "; ".join(problems), place=str(place), remedy="check that weights and config.json are of one model"
        )


def _list(what: str, names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{what}: {', '.join(names[:_SHOWN])}{more}" if names else ""


def _by(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape))


def to_hf(checkpoint: TorchDist, weights: Sequence[Weight], model: ModelConfig) -> list[OutTensor]:
    """The Hugging Face tensors of a Megatron checkpoint. Rows of padding are left out."""
    tensors = []
    for weight in weights:
        dtype, first = checkpoint.dtype(weight.name), 0
        for index, part in enumerate(weight.parts):
            end = first + part.shape[0]
            read = partial(_hf_tensor, checkpoint, weight, model, index, first, end)
            tensors.append(OutTensor(part.name, part.shape, dtype, read))
            first = end
    return tensors


def _hf_tensor(checkpoint: TorchDist, weight: Weight, model: ModelConfig, index: int, first: int, end: int) -> Tensor:
    """Part `index` of a weight, its rows `first` to `end`."""
    if weight.join == "qkv":
        return split(weight, checkpoint.read(weight.name), model)[index]
    return checkpoint.read(weight.name, first, end)


class MegatronRows(Protocol):
    """Where the weights of a checkpoint to be written come from."""

    def dtype(self, weight: Weight) -> torch.dtype: ...

    def blocks(self, weight: Weight) -> Sequence[int]:
        """Rows of the blocks that are cheap to get one by one; they sum to the weight's rows without padding."""
        ...

    def rows(self, weight: Weight, first: int, end: int) -> Tensor: ...


@dataclass(frozen=True)
class FromHf:
    """Weights of a Hugging Face folder: tensors that are stacked in Megatron come one by one, as they are."""

    folder: HfFolder
    model: ModelConfig

    def dtype(self, weight: Weight) -> torch.dtype:
        return self.folder.dtype(weight.parts[0].name)

    def blocks(self, weight: Weight) -> Sequence[int]:
        return [part.shape[0] for part in weight.parts] if weight.join == "rows" else [weight.shape[0]]

    def rows(self, weight: Weight, first: int, end: int) -> Tensor:
        if weight.join == "copy":
            return self.folder.read(weight.parts[0].name, first, end)
        if weight.join == "rows":
            start = 0
            for part in weight.parts:
                if (start, start + part.shape[0]) == (first, end):
                    return self.folder.read(part.name)
                start += part.shape[0]
        whole = join(weight, [self.folder.read(part.name) for part in weight.parts], self.model)
        return whole[first:end]


def to_pieces(
    source: MegatronRows, weights: Sequence[Weight], model: ModelConfig, *, fused_norms: bool = False
) -> tuple[list[Piece], dict[str, tuple[int, ...]], list[str]]:
    """What a torch_dist checkpoint of `source` holds: blocks, shapes by key, keys of extra states."""
    stacked = model.hybrid_pattern is None
    pieces: list[Piece] = []
    shapes: dict[str, tuple[int, ...]] = {}
    for weight in weights:
        rows = padded_vocabulary(weight.shape[0]) if weight.vocabulary else weight.shape[0]
        tail = weight.shape[1:]
        for slot in slots(weight.name, rows, stacked=stacked, mixer=_mixer(model), fused_norms=fused_norms):
            whole = (slot.end - slot.first, *tail)
            shapes[slot.key] = whole if slot.layer is None else (model.num_layers, *whole)
            pieces += _pieces(source, weight, slot)
    states = extra_state_keys([weight.name for weight in weights], stacked=stacked, layers=model.num_layers)
    return pieces, shapes, states


def _pieces(source: MegatronRows, weight: Weight, slot: Slot) -> Iterator[Piece]:
    """One slot as blocks: the source's own where the slot is the whole weight, else one."""
    tail, stack = weight.shape[1:], () if slot.layer is None else (slot.layer,)
    whole = slot.end - slot.first >= weight.shape[0]
    blocks = list(source.blocks(weight)) if whole else [slot.end - slot.first]
    blocks[-1] += slot.end - slot.first - sum(blocks)  # padding
    first = slot.first
    for rows in blocks:
        shape = (*(1 for _ in stack), rows, *tail)
        offsets = (*stack, first - slot.first, *(0 for _ in tail))
        read = partial(_padded_rows, source, weight, first, rows, shape)
        yield Piece(slot.key, offsets, shape, source.dtype(weight), read)
        first += rows


def _padded_rows(source: MegatronRows, weight: Weight, first: int, rows: int, shape: tuple[int, ...]) -> Tensor:
    """Rows of a weight, and zeros for those that only pad the vocabulary."""
    found = source.rows(weight, first, min(first + rows, weight.shape[0]))
    missing = rows - len(found)
    if missing:
        found = torch.cat([found, found.new_zeros(missing, *found.shape[1:])])
    return found.view(shape)


def _mixer(model: ModelConfig) -> MixerRows | None:
    mamba = model.mamba
    if mamba is None or model.hybrid_pattern is None:
        return None
    return MixerRows(mamba.inner_size, mamba.num_groups * mamba.state_dim, mamba.inner_size // mamba.head_dim)
