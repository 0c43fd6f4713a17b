"""Whole weights by Hugging Face names from ranks that each hold parts of them, bucket by bucket.

Every rank says once which rectangles of which weights it holds; the lowest rank that holds one sends it. The first rank
puts a bucket's weights together, takes them apart into Hugging Face's tensors, and goes on to the next bucket when that
one has been used. So it needs the memory of one bucket and of one weight, whatever the layout and the model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor

from prism.errors import BadInput
from prism.formats.hf_folder import Described
from prism.formats.megatron_keys import MixerRows, plain_name, split_layer, stored_parts
from prism.generate.weight_sync.buckets import Bucket, in_buckets
from prism.megatron.checkpoint.content import Part, to_read, weights_tree
from prism.megatron.checkpoint.ranks import from_all_ranks, is_first
from prism.models.family import family_of
from prism.models.weights import Weight, split

if TYPE_CHECKING:
    from prism.recipe import ModelConfig


@dataclass(frozen=True, order=True)
class _Rectangle:
    """A part of a weight: where it begins, and its shape."""

    weight: str
    offsets: tuple[int, ...]
    shape: tuple[int, ...]


class WeightGatherer:
    """Gathers the weights of `chunks`, this rank's part of `model`. All ranks make one and call it together.

    Args:
        vocab_size: rows of the token tables without padding.
        bucket_bytes: of a bucket at most; a weight that is larger is a bucket of its own.
        dtype: that matrices are rounded to before they travel; None leaves them as they are. Vectors (norms, Mamba's A,
            D and dt) are few bytes and travel as they are: what keeps them wide may go on to.

    Raises:
        BadInput: the ranks together don't hold all weights of the model.
    """

    def __init__(
        self,
        chunks: Sequence[torch.nn.Module],
        model: ModelConfig,
        vocab_size: int,
        bucket_bytes: int,
        dtype: torch.dtype | None = None,
    ) -> None:
        self._chunks, self._model = chunks, model
        weights = list(family_of(model).weight_map(model, vocab_size))
        held = self._held()
        said = from_all_ranks([(rectangle, _name_of(tensor.dtype)) for rectangle, tensor in held.items()])
        self._owners = _owners([[rectangle for rectangle, _ in rank] for rank in said])
        _check(weights, self._owners)
        stored = {rectangle.weight: getattr(torch, name) for rank in said for rectangle, name in rank}
        self._dtypes = {
            weight.name: dtype if dtype is not None and len(weight.shape) > 1 else stored[weight.name]
            for weight in weights
        }
        self._buckets = in_buckets(weights, self._bytes, bucket_bytes)

    @property
    def plan(self) -> list[list[Described]]:
        """The tensors of every bucket, in the order in which they come."""
        return [
            [Described(part.name, part.shape, self._dtypes[weight.name]) for weight in bucket for part in weight.parts]
            for bucket in self._buckets
        ]

    def buckets(self) -> Iterator[Bucket]:
        """The weights as they are now, bucket after bucket; whole on the first rank, empty on the others.

        Collective: every rank goes through all of them. A bucket's tensors may be changed once the next is asked for.
        """
        held = self._held()
        for number, weights in enumerate(self._buckets):
            tensors: list[tuple[str, Tensor]] = []
            for weight in weights:
                whole = self._whole(weight, held)
                if whole is None:
                    continue
                parts = split(weight, whole, self._model)
                tensors += [(part.name, tensor) for part, tensor in zip(weight.parts, parts, strict=True)]
                del whole, parts
            yield Bucket(number, tuple(tensors))

    @torch.no_grad()
    def _whole(self, weight: Weight, held: dict[_Rectangle, Tensor]) -> Tensor | None:
        """The weight on the first rank; the others send what they own of it."""
        first, dtype = is_first(), self._dtypes[weight.name]
        whole: Tensor | None = None
        for rectangle, owner in self._owners[weight.name]:
            own = held.get(rectangle)
            if not first:
                if own is not None and owner == dist.get_rank():
                    dist.send(own.to(dtype).contiguous(), dst=0)
                continue
            if owner == 0:
                assert own is not None  # this rank said that it holds it
                piece = own.to(dtype)
            else:
                device = next(iter(held.values())).device
                piece = torch.empty(rectangle.shape, dtype=dtype, device=device)
                dist.recv(piece, src=owner)
            if whole is None:
                whole = torch.empty(weight.shape, dtype=dtype, device=piece.device)
            _place(piece, rectangle.offsets, whole)
        return whole

    def _bytes(self, weight: Weight) -> int:
        return math.prod(weight.shape) * self._dtypes[weight.name].itemsize

    def _held(self) -> dict[_Rectangle, Tensor]:
        """What this rank holds, in place."""
        found: dict[_Rectangle, Tensor] = {}
        for part in to_read(weights_tree(self._chunks)):
            found.update(_rectangles(part, self._model))
        return found


def _name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _rectangles(part: Part, model: ModelConfig) -> Iterator[tuple[_Rectangle, Tensor]]:
    """A rank's part by the weight that it is of; a stack of layers gives one a layer."""
    block, tensor = part.block, part.tensor
    name, offsets = plain_name(block.key), block.offsets
    if ".layers." in name and split_layer(name) is None:
        for index in range(block.shape[0]):
            layer = name.replace(".layers.", f".layers.{offsets[0] + index}.")
            yield _in_weight(layer, offsets[1:], tensor[index], model)
        return
    yield _in_weight(name, offsets, tensor, model)


def _in_weight(name: str, offsets: tuple[int, ...], tensor: Tensor, model: ModelConfig) -> tuple[_Rectangle, Tensor]:
    """Mamba's stacked matrices are saved in parts: part `in_proj.weight.x` lies below `in_proj.weight.z`."""
    whole, _, ending = name.rpartition(".")
    parts = stored_parts(whole)
    if ending not in parts:
        return _Rectangle(name, offsets, tuple(tensor.shape)), tensor
    mamba = model.mamba
    assert mamba is not None  # no other model has such weights
    rows = MixerRows(mamba.inner_size, mamba.num_groups * mamba.state_dim, mamba.inner_size // mamba.head_dim)
    before = sum(rows.of(part) for part in parts[: parts.index(ending)])
    return _Rectangle(whole, (before + offsets[0], *offsets[1:]), tuple(tensor.shape)), tensor


def _owners(said: Sequence[Sequence[_Rectangle]]) -> dict[str, list[tuple[_Rectangle, int]]]:
    """The rectangles of every weight, and the rank that sends each: the lowest that holds it."""
    lowest: dict[_Rectangle, int] = {}
    for rank, rectangles in enumerate(said):
        for rectangle in rectangles:
            lowest.setdefault(rectangle, rank)
    owners: dict[str, list[tuple[_Rectangle, int]]] = {}
    for rectangle, rank in sorted(lowest.items()):
        owners.setdefault(rectangle.weight, []).append((rectangle, rank))
    return owners


def _check(weights: Sequence[Weight], owners: dict[str, list[tuple[_Rectangle, int]]]) -> None:
    """Every element of every weight is held, and once; rows that pad the vocabulary don't count."""
    for weight in weights:
        found = sum(_overlap(rectangle, weight.shape) for rectangle, _ in owners.get(weight.name, []))
        if found != math.prod(weight.shape):
            raise BadInput(
                f"the ranks hold {found:,} of the {math.prod(weight.shape):,} elements of {weight.name}",
                place="weight gathering",
                remedy="gather from all chunks of a whole replica",
            )


def _overlap(rectangle: _Rectangle, whole: tuple[int, ...]) -> int:
    return math.prod(
        max(0, min(first + size, limit) - first)
        for first, size, limit in zip(rectangle.offsets, rectangle.shape, whole, strict=True)
    )


def _place(piece: Tensor, offsets: tuple[int, ...], whole: Tensor) -> None:
    """Copies `piece` to its place; rows beyond the whole only pad the vocabulary."""
    window = tuple(slice(first, first + size) for first, size in zip(offsets, piece.shape, strict=True))
    target = whole[window]
    target.copy_(piece[tuple(slice(0, size) for size in target.shape)])
