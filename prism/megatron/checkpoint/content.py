"""What a rank holds of a checkpoint: its parts of tensors by global names, wherever they live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.dist_checkpointing.mapping import ShardedObject, ShardedTensor, is_main_replica
from torch import Tensor

from prism.formats.torch_dist_image import Block
from prism.megatron.checkpoint.description import unwrap
from prism.megatron.initialise import sharded_tensors


@dataclass(frozen=True)
class Part:
    """A part of a stored tensor and where it lives on this rank; written and read in place.

    padded: the whole's first dimension may differ from checkpoint to checkpoint, as a padded vocabulary's does.
    """

    block: Block
    tensor: Tensor
    padded: bool


@dataclass(frozen=True)
class Content:
    """Parts that this rank writes, keys of empty objects that it writes, and what isn't sharded."""

    parts: Sequence[Part]
    objects: Sequence[str]
    common: Mapping[str, Any]


def weights_tree(chunks: Sequence[torch.nn.Module]) -> list[Any]:
    """The chunks' sharded state dicts; names and places in them are those of the whole model."""
    return [unwrap(chunk).sharded_state_dict() for chunk in chunks]


def frozen_tree(name: str, module: torch.nn.Module) -> Any:
    """A further model's, under its own prefix."""
    return unwrap(module).sharded_state_dict(prefix=f"{name}.")


def to_write(
    chunks: Sequence[torch.nn.Module], optimizer: Any, frozen: Mapping[str, torch.nn.Module] | None
) -> Content:
    """Everything that this rank is to write."""
    weights = weights_tree(chunks)
    tree: list[Any] = [*weights, *(frozen_tree(name, module) for name, module in (frozen or {}).items())]
    common: dict[str, Any] = {}
    if optimizer is not None:
        found = optimizer.sharded_state_dict(weights)
        tree.append(found["state"])
        common = {"optimizer": {"step": found["step"]}}
    objects = sorted({item.unique_key for item in _objects(tree) if is_main_replica(item.replica_id)})
    return Content([_part(item) for item in _own(sharded_tensors(tree))], objects, common)


def to_read(tree: Any) -> list[Part]:
    """Every part that this rank needs of a tree of sharded tensors."""
    return [_part(item) for item in sharded_tensors(tree)]


def _own(items: Iterable[ShardedTensor]) -> list[ShardedTensor]:
    """One copy of everything, dealt out so that data-parallel ranks write about as many bytes each.

    Ranks that differ in nothing but their data-parallel place hold the same copies in the same order, so each knows
    what the others take.
    """
    group = parallel_state.get_data_parallel_group(with_context_parallel=True)
    ranks, own = group.size(), group.rank()
    single, shared = [], []
    for item in items:
        place = item.replica_id if isinstance(item.replica_id, tuple) else (item.replica_id,)
        if item.axis_fragmentations is None or len(place) != 3:
            if is_main_replica(item.replica_id):
                single.append(item)  # a distributed optimizer's: every rank has its own
        elif place[:2] == (0, 0):
            shared.append(item)
    load = [0] * ranks
    for item in sorted(shared, key=lambda item: (-_bytes(item), item.key, item.global_offset)):
        rank = load.index(min(load))
        load[rank] += _bytes(item)
        if rank == own:
            single.append(item)
    return sorted(single, key=lambda item: (item.key, item.global_offset))


def _bytes(item: ShardedTensor) -> int:
    return item.data.nbytes if item.data is not None else 0


def _part(item: ShardedTensor) -> Part:
    assert item.data is not None  # it was made with one
    shape = (1,) * item.prepend_axis_num + tuple(item.local_shape)
    tensor = item.data.detach()
    block = Block(item.key, tuple(item.global_offset), shape, tuple(item.global_shape), tensor.dtype)
    return Part(block, tensor.view(shape), item.allow_shape_mismatch)


def _objects(tree: Any) -> Iterable[ShardedObject]:
    if isinstance(tree, ShardedObject):
        yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from _objects(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _objects(value)
