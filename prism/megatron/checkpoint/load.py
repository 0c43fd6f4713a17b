"""Loads a checkpoint into this rank's part of a model, whatever layout wrote it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from prism.errors import BadInput
from prism.formats.blocks import Blocks
from prism.formats.torch_dist import TorchDist
from prism.megatron.checkpoint.content import Part, frozen_tree, to_read, weights_tree
from prism.megatron.checkpoint.description import describe_layout, refuse_other_model, refuse_other_shapes
from prism.megatron.checkpoint.folder import Checkpoint, verify
from prism.megatron.checkpoint.random_state import restore_random_state
from prism.megatron.checkpoint.ranks import from_all_ranks

Parts = torch.nn.Module | Sequence[torch.nn.Module]
"""A rank's model: one chunk, or the chunks of an interleaved pipeline in their order."""

_WIDE, _STATE = "optimizer.state.fp32_param.", "optimizer.state."


def as_chunks(parts: Parts) -> list[torch.nn.Module]:
    return [parts] if isinstance(parts, torch.nn.Module) else list(parts)


def load(checkpoint: Checkpoint, parts: Parts, optimizer: Any = None) -> None:
    """Loads weights (and optimizer and random state) into this rank's part, whatever layout wrote them.

    Every file is verified first. Raises on all ranks alike.

    Raises:
        BadInput: the files are damaged or hold another model.
    """
    chunks = as_chunks(parts)
    checkpoint = verify(checkpoint)
    all_or_none(lambda: _load(checkpoint, chunks, optimizer))


def _load(checkpoint: Checkpoint, chunks: Sequence[torch.nn.Module], optimizer: Any) -> None:
    refuse_other_model(checkpoint.said, chunks, checkpoint.path)
    stored = Blocks(checkpoint.path)
    weights = weights_tree(chunks)
    wanted = to_read(weights)
    if optimizer is None:
        _fill(stored, wanted)
        return
    steps = _optimizer_steps(checkpoint, stored)
    tree = optimizer.sharded_state_dict(weights, is_loading=True)
    _fill(stored, [*wanted, *(_as_stored(part, stored) for part in to_read(tree["state"]))])
    optimizer.load_state_dict({"state": _data(tree["state"]), "step": steps})
    restore_random_state(checkpoint.path, checkpoint.said.layout, describe_layout(chunks, optimizer))


def load_frozen(checkpoint: Checkpoint, module: torch.nn.Module, name: str) -> None:
    """Loads a further model that `save` kept under `name`.

    Raises:
        BadInput: the files are damaged, or it isn't there.
    """
    checkpoint = verify(checkpoint)
    all_or_none(lambda: _fill(Blocks(checkpoint.path), to_read(frozen_tree(name, module))))


def whole_weights(checkpoint: Checkpoint) -> Iterator[tuple[str, Tensor]]:
    """Every weight as one tensor, whatever layout saved it: (name, tensor), layers taken apart, Mamba's parts joined.

    Reads on this process alone; needs neither a model nor process groups.
    """
    saved = TorchDist(checkpoint.path)
    for name in saved.names():
        yield name, saved.read(name)


def all_or_none(work: Callable[[], None]) -> None:
    """Runs `work` and raises on every rank when it fails on one."""
    failed: BadInput | None = None
    try:
        work()
    except BadInput as error:
        failed = error
    said = None if failed is None else (failed.message, failed.place, failed.remedy)
    others = [found for found in from_all_ranks(said) if found is not None]
    if failed is not None:
        raise failed
    if others:
        message, place, remedy = others[0]
        raise BadInput(message, place=place, remedy=remedy)


@torch.no_grad()
def _fill(stored: Blocks, parts: Sequence[Part]) -> None:
    """Reads every part in place; nothing is touched unless all of them fit."""
    refuse_other_parts(stored, parts)
    for part in parts:
        read_part(stored, part, part.tensor)


def refuse_other_parts(stored: Blocks, parts: Sequence[Part]) -> None:
    """Raises BadInput when a part's tensor is missing or has another shape."""
    refuse_other_shapes(stored, {part.block.key: (part.block.whole, part.padded) for part in parts})


def read_part(stored: Blocks, part: Part, target: Tensor) -> None:
    """Fills `target`, of the part's shape and of any type; rows beyond the stored ones become 0.

    Raises:
        Damaged: a file is missing or damaged.
    """
    block = part.block
    if part.padded:
        rows = max(0, (stored.shape(block.key) or (0,))[0] - block.offsets[0])
        target[rows:] = 0
        target = target[:rows]
    stored.read_into(target, block.key, block.offsets)


def _as_stored(part: Part, stored: Blocks) -> Part:
    """A wide copy of a weight is the weight itself where the model was wide when it was saved."""
    key = part.block.key
    if not key.startswith(_WIDE) or stored.shape(key) is not None:
        return part
    block = part.block
    plain = type(block)(key.removeprefix(_WIDE), block.offsets, block.shape, block.whole, block.dtype)
    return Part(plain, part.tensor, part.padded)


def _optimizer_steps(checkpoint: Checkpoint, stored: Blocks) -> int:
    """Steps that the saved optimizer took; the first schema kept them in common.pt.

    Raises:
        BadInput: the checkpoint holds no optimizer state.
    """
    if checkpoint.said.optimizer_step is not None:
        return checkpoint.said.optimizer_step
    found: int | None = None
    if checkpoint.said.layout is None and any(key.startswith(_STATE) for key in stored.metadata.state_dict_metadata):
        try:
            common = torch.load(checkpoint.path / "common.pt", map_location="cpu", weights_only=True)
            found = _steps_of(common.get("optimizer"))
        except Exception as error:  # whatever is wrong with the file, it isn't what megatron-core wrote
            text = (str(error).splitlines() or [""])[0][:200]
            raise BadInput(
                f"common.pt can't be read ({text})",
                place=str(checkpoint.path),
                remedy="go back to an earlier checkpoint",
            ) from None
    if found is None:
        raise BadInput(
            "holds weights and no optimizer state",
            place=str(checkpoint.path),
            remedy="begin a stage from it, rather than resume it",
        )
    return found


def _steps_of(state: Any) -> int | None:
    """Looks for the step count in a plain optimizer's state, or in a mixed-precision one's around it."""
    if not isinstance(state, dict):
        return None
    for inner in (state.get("step"), state.get("state"), state.get("optimizer")):
        if isinstance(inner, int):
            return inner
        if isinstance(inner, dict) and "common_step" in inner:
            return int(inner["common_step"])
        deeper = _steps_of(inner)
        if deeper is not None:
            return deeper
    return None


def _data(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _data(value) for key, value in tree.items()}
    return [piece.data for piece in tree]
