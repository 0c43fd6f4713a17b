"""An optimizer's state in checkpoints: the same tensors whatever kind of optimizer holds them, at any layout.

megatron-core's plain optimizer keeps moments shaped like the parameters, its distributed one a run of the flattened
parameter on each data-parallel rank; their checkpoints don't fit each other. Here both save moment `exp_avg` of weight
`w` as `optimizer.state.exp_avg.w`, shaped like `w`: a run of a flattened matrix is a few rectangles of it. No rank
gathers what others hold.

| key | what |
|---|---|
| `optimizer.state.exp_avg.w`, `optimizer.state.exp_avg_sq.w` | moments, fp32 |
| `optimizer.state.fp32_param.w` | the fp32 weight, where the model's own is narrower |
| `step` (common) | steps taken, for the moments' bias correction |
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from megatron.core.dist_checkpointing.mapping import ShardedTensor, ShardedTensorFactory
from megatron.core.optimizer import ChainedOptimizer
from megatron.core.optimizer.cpu_offloading.hybrid_optimizer import HybridDeviceOptimizer
from megatron.core.optimizer.distrib_optimizer import DistributedOptimizer
from megatron.core.optimizer.optimizer import FP32Optimizer
from torch import Tensor

from prism.megatron.initialise import sharded_tensors

_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class _Held:
    """What this rank's optimizer holds of a parameter, by name; `first` and `end` of the flattened parameter."""

    parameter: Tensor
    tensors: Mapping[str, Tensor]
    first: int
    end: int


class EngineOptimizer(ChainedOptimizer):
    """megatron-core's optimizer with a state in checkpoints of its own; counts its steps."""

    def __init__(self, optimizers: Sequence[Any]) -> None:
        super().__init__(list(optimizers))
        self.steps = 0
        self._targets: dict[str, dict[str, list[Tensor]]] = {}

    def step_with_ready_grads(self) -> bool:
        self.steps += 1
        return bool(super().step_with_ready_grads())

    def reload_model_params(self, state_dict: Any = None) -> None:
        """Takes over weights that were set outside of the optimizer."""
        super().reload_model_params(state_dict)
        for optimizer in self.chained_optimizers:
            if isinstance(optimizer.optimizer, HybridDeviceOptimizer):
                _copy_to_main(optimizer)
                _copy_to_host(optimizer.optimizer)

    def gather_weights(self) -> None:
        """Makes the model's weights whole on this rank; with gathering that overlaps they are so only once used."""
        for chunk in self.model_chunks:
            if chunk.ddp_config.overlap_param_gather:
                chunk.start_param_sync(force_sync=True)

    def sharded_state_dict(self, weights: Any, is_loading: bool = False, **_: Any) -> dict[str, Any]:
        """What a checkpoint keeps. With `is_loading`, its tensors are this optimizer's own and are written in place.

        Args:
            weights: the model chunks' sharded state dicts, in any nesting.
        """
        self.gather_weights()
        places = {id(sharded.data): sharded for sharded in _sharded(weights)}
        tree: dict[str, dict[str, list[ShardedTensor]]] = {}
        for optimizer in self.chained_optimizers:
            for number, held in enumerate(_held(optimizer)):
                apart = isinstance(optimizer, DistributedOptimizer)
                place = places[id(held.parameter)]
                tree[str(number)] = {name: _pieces(held, name, place, apart) for name in held.tensors}
        if is_loading:
            self._targets = {
                number: {name: [_data(piece) for piece in pieces] for name, pieces in states.items()}
                for number, states in tree.items()
            }
        return {"state": tree, "step": self.steps}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes back what `sharded_state_dict` asked for."""
        for number, states in self._targets.items():
            for name, targets in states.items():
                for target, loaded in zip(targets, state_dict["state"][number][name], strict=True):
                    if target.data_ptr() != loaded.data_ptr():
                        target.copy_(loaded.view(target.shape))
        self._targets = {}
        step = state_dict.get("step")
        self.steps = int(state_dict["state"]["common_step"] if step is None else step)
        for optimizer in self.chained_optimizers:
            for inner in _inner(optimizer):
                _set_step(inner, self.steps)
            if isinstance(optimizer.optimizer, HybridDeviceOptimizer):
                _copy_to_host(optimizer.optimizer)


@torch.no_grad()
def _copy_to_main(optimizer: Any) -> None:
    """Sets a distributed optimizer's fp32 weights; megatron-core leaves that out when it offloads."""
    if not isinstance(optimizer, DistributedOptimizer):
        return
    for narrow, wide in zip(optimizer.model_float16_groups, optimizer.shard_fp32_from_float16_groups, strict=True):
        for parameter, main in zip(narrow, wide, strict=True):
            extent = optimizer._get_model_param_range_map(parameter)["param"]
            main.copy_(parameter.view(-1)[extent.start : extent.end])


@torch.no_grad()
def _copy_to_host(offloading: Any) -> None:
    """Sets the copies of parameters that are stepped on the host."""
    for parameter, inner in offloading.param_to_inner_param.items():
        if inner is not parameter:
            inner.copy_(parameter)


def _sharded(tree: Any) -> Iterator[ShardedTensor | ShardedTensorFactory]:
    if isinstance(tree, ShardedTensor | ShardedTensorFactory):
        yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from _sharded(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _sharded(value)


def _data(piece: ShardedTensor) -> Tensor:
    data: Tensor | None = piece.data
    assert data is not None  # it was made with one
    return data


def _inner(optimizer: Any) -> list[torch.optim.Optimizer]:
    """torch's (or a fused) optimizers that hold the state."""
    inner = optimizer.optimizer
    if inner is None:
        return []
    return list(inner.sub_optimizers) if isinstance(inner, HybridDeviceOptimizer) else [inner]


def _held(optimizer: Any) -> Iterator[_Held]:
    """All that `optimizer` holds on this rank, in a fixed order; state that the first step would make is made."""
    if optimizer.is_stub_optimizer:
        return
    for inner in _inner(optimizer):
        _ensure_state(inner)
    if isinstance(optimizer.optimizer, HybridDeviceOptimizer):
        optimizer.optimizer._sync_sub_optimizers_state_to_hdo()
    if isinstance(optimizer, DistributedOptimizer):
        for parameter in optimizer.model_param_gbuf_map:
            extent = optimizer._get_model_param_range_map(parameter)["param"]
            found = optimizer._get_main_param_and_optimizer_states(parameter)
            yield _Held(parameter, _wanted(parameter, found["param"], found), extent.start, extent.end)
        return
    for parameter, main in _whole_parameters(optimizer):
        state = optimizer.optimizer.state[main]
        yield _Held(parameter, _wanted(parameter, main, state), 0, parameter.numel())


def _whole_parameters(optimizer: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """(the model's parameter, the one that is stepped) of an optimizer that isn't distributed."""
    if isinstance(optimizer, FP32Optimizer):
        for group in optimizer.param_groups:
            yield from ((parameter, parameter) for parameter in group["params"])
        return
    for narrow, wide in zip(optimizer.float16_groups, optimizer.fp32_from_float16_groups, strict=True):
        yield from zip(narrow, wide, strict=True)
    for group in optimizer.fp32_from_fp32_groups:
        yield from ((parameter, parameter) for parameter in group)


def _wanted(parameter: Tensor, main: Tensor, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    tensors = {name: state[name] for name in _MOMENTS}
    return tensors if parameter.dtype == torch.float32 else {**tensors, "fp32_param": main}


def _ensure_state(inner: torch.optim.Optimizer) -> None:
    """Zero moments where there are none yet, as the first step would find them."""
    for group in inner.param_groups:
        for parameter in group["params"]:
            state = inner.state[parameter]
            if "exp_avg" in state:
                continue
            state |= {name: torch.zeros_like(parameter, requires_grad=False) for name in _MOMENTS}
            if _counts_by_parameter(inner):
                where = parameter.device if group.get("fused") or group.get("capturable") else None
                state["step"] = torch.zeros((), dtype=torch.float32, device=where)


def _counts_by_parameter(inner: torch.optim.Optimizer) -> bool:
    """torch's Adam counts steps in each parameter's state, fused ones of other packages in the group."""
    return isinstance(inner, torch.optim.Adam | torch.optim.AdamW)


def _set_step(inner: torch.optim.Optimizer, step: int) -> None:
    for group in inner.param_groups:
        if not _counts_by_parameter(inner):
            group["step"] = step
            continue
        for parameter in group["params"]:
            inner.state[parameter]["step"].fill_(step)


def _pieces(held: _Held, name: str, place: Any, apart: bool) -> list[ShardedTensor]:
    """State `name` as parts of the tensor that `place` puts the parameter into.

    Args:
        apart: data-parallel ranks hold different parts, rather than the same.
    """
    flat = held.tensors[name].detach().view(-1)
    pieces: list[ShardedTensor] = []
    for part in sharded_tensors(place):
        data = _data(part)
        start = int(data.storage_offset()) - int(held.parameter.storage_offset())
        first, end = max(held.first, start), min(held.end, start + data.numel())
        if first >= end:
            continue
        key = f"optimizer.state.{name}.{part.key}"
        own = flat[first - held.first : end - held.first]
        if apart:
            pieces += _rectangular_parts(part, key, own, first - start, end - start)
        else:
            pieces.append(replace(part, key=key, data=own.view(part.local_shape), dtype=own.dtype))
    return pieces


def _rectangular_parts(part: ShardedTensor, key: str, flat: Tensor, first: int, end: int) -> Iterator[ShardedTensor]:
    """Elements first..end of the flattened `part`, given as `flat`."""
    stack, lead = part.global_offset[: part.prepend_axis_num], (1,) * part.prepend_axis_num
    taken = 0
    for offset, shape in rectangles(tuple(part.local_shape), first, end):
        count = math.prod(shape)
        inside = zip(part.global_offset[part.prepend_axis_num :], offset, strict=True)
        yield ShardedTensor(
            key=key,
            data=flat[taken : taken + count].view(*lead, *shape),
            dtype=flat.dtype,
            local_shape=(*lead, *shape),
            global_shape=part.global_shape,
            global_offset=(*stack, *(whole + own for whole, own in inside)),
            axis_fragmentations=None,
            replica_id=(*part.replica_id[:2], 0),  # of (pipeline, tensor, data)
            allow_shape_mismatch=part.allow_shape_mismatch,
        )
        taken += count


def rectangles(shape: tuple[int, ...], first: int, end: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Cuts elements first..end of a row-major tensor into boxes, in order: (offset, shape) of each."""
    row = math.prod(shape[1:])
    low, high = -(-first // row), end // row  # whole rows low..high
    if low > high:  # all in one row
        yield from _in_row(shape, high, first, end)
        return
    if first < low * row:
        yield from _in_row(shape, low - 1, first, low * row)
    if low < high:
        yield (low, *(0 for _ in shape[1:])), (high - low, *shape[1:])
    if high * row < end:
        yield from _in_row(shape, high, high * row, end)


def _in_row(
    shape: tuple[int, ...], row: int, first: int, end: int
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    before = row * math.prod(shape[1:])
    for offset, inner in rectangles(shape[1:], first - before, end - before):
        yield (row, *offset), (1, *inner)
