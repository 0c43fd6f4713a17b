"""A Mamba mixer in sharded checkpoints: the parts of stacked matrices are saved one by one.

Under tensor parallelism rank r holds [z_r, x_r, B_r, C_r, dt_r], which is no contiguous slice of the whole
matrix. Saved as `in_proj.weight.z`, `.x`, `.B`, `.C`, `.dt` (and `conv1d.weight.x`, `.B`, `.C`), every part is
one, and any layout loads what another saved. The keys are megatron-core's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from megatron.core.dist_checkpointing.mapping import ShardedTensor, ShardedTensorFactory
from megatron.core.transformer.utils import (
    ensure_metadata_has_dp_cp_group,
    make_sharded_tensors_for_checkpoint,
    sharded_state_dict_default,
)
from torch import Tensor

if TYPE_CHECKING:
    from prism.megatron.mamba import MambaMixer

Parts = Sequence[tuple[str, int]]
"""Names and numbers of rows, in order."""


def mixer_sharded_state_dict(
    mixer: MambaMixer,
    prefix: str,
    offsets: tuple[tuple[int, int, int], ...],
    metadata: dict[str, Any] | None,
) -> dict[str, Any]:
    """Every parameter of `mixer` with its place in the whole, as megatron-core's distributed checkpoints want it."""
    metadata = ensure_metadata_has_dp_cp_group(metadata)
    group, replicas, shape = mixer.tp_group, metadata["dp_cp_group"], mixer.shape

    def sharded(tensors: dict[str, Tensor], *, cut: bool) -> dict[str, ShardedTensor]:
        found: dict[str, ShardedTensor] = make_sharded_tensors_for_checkpoint(
            tensors,
            prefix,
            dict.fromkeys(tensors, 0) if cut else {},
            offsets,
            tp_group=group,
            dp_cp_group=replicas,
        )
        return found

    half = shape.group_rows // 2
    shared: Parts = (("B", half), ("C", half))
    own: Parts = () if shape.shares_group else shared
    state: dict[str, Any] = sharded(
        {"A_log": mixer.A_log, "D": mixer.D, "dt_bias": mixer.dt_bias, "norm.weight": mixer.norm.weight},
        cut=True,
    )
    state.update(sharded_state_dict_default(mixer.out_proj, f"{prefix}out_proj.", offsets, metadata, tp_group=group))

    stacked = {"in_proj.weight": mixer.in_proj.weight, **_named("conv1d", mixer.conv1d)}
    for name, tensor in sharded(stacked, cut=True).items():
        parts = (("x", shape.inner), *own)
        if name.endswith("in_proj.weight"):
            parts = (("z", shape.inner), *parts, ("dt", shape.heads))
        state[name] = _in_parts(tensor, name, parts)
    if mixer.in_proj_bc is not None and mixer.conv1d_bc is not None:
        both = {**_named("in_proj_bc", mixer.in_proj_bc), **_named("conv1d_bc", mixer.conv1d_bc)}
        for name, tensor in sharded(both, cut=False).items():
            state[name] = _in_parts(tensor, name.replace("_bc.", "."), shared)
    return state


def _named(name: str, module: torch.nn.Module) -> dict[str, Tensor]:
    return {f"{name}.{leaf}": parameter for leaf, parameter in module.named_parameters()}


def _in_parts(whole: ShardedTensor, key: str, parts: Parts) -> ShardedTensorFactory:
    """A factory that saves rows of `whole` as tensors of their own, `key.part`, and puts loaded ones together."""
    place = whole.without_data()

    @torch.no_grad()
    def build(key: str, tensor: Tensor, replica: Any, flattened_range: slice | None) -> list[ShardedTensor]:
        located = replace(
            place,
            key=key,
            data=tensor,
            dtype=tensor.dtype,
            replica_id=replica,
            flattened_range=flattened_range,
        )
        pieces: list[ShardedTensor] = []
        start = 0
        for name, rows in parts:
            for piece in located.narrow(0, start, rows):
                piece.key = f"{key}.{name}"
                pieces.append(piece)
            start += rows
        return pieces

    @torch.no_grad()
    def merge(pieces: list[Tensor]) -> Tensor:
        return torch.cat(pieces)

    return ShardedTensorFactory(key, whole.data, build, merge, whole.replica_id)
