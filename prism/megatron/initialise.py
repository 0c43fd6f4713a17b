"""Random initialisation that doesn't depend on the layout.

Every weight is drawn whole from a generator seeded by its checkpoint key, then each rank takes its slice, as
the sharded state dict describes it. So one process, TP 2 and PP 2 begin with the same model.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from megatron.core.dist_checkpointing.mapping import ShardedTensor, ShardedTensorFactory
from torch import Tensor

if TYPE_CHECKING:
    from prism.recipe import ModelConfig

_RESIDUAL_OUTPUTS = ("linear_proj.weight", "linear_fc2.weight", "out_proj.weight")


def initialise(module: Any, model: ModelConfig, seed: int) -> None:
    """Draws every weight of `module` (a model chunk) for `model` from `seed`.

    Embeddings and output layer get the recipe's standard deviations, other matrices fan_in^-0.5 (or the
    recipe's fixed value), matrices that write to the residual stream also divided by the square root of the
    number of residual writes. Norms start at one. Mamba's A, dt and D follow the Mamba-2 reference.
    """
    with torch.no_grad():
        for tensor in sharded_tensors(module.sharded_state_dict()):
            if tensor.data is None:
                continue
            prefix = tensor.prepend_axis_num
            name = tensor.key
            if prefix:  # layers are stacked on a leading axis; its index is the layer
                name = f"{name}@{tensor.global_offset[0]}"
            generator = torch.Generator().manual_seed(seed * 2_654_435_761 % 2**31 + zlib.crc32(name.encode()))
            whole = _draw(tensor.key, tuple(tensor.global_shape[prefix:]), model, generator)
            window = tuple(
                slice(start, start + length)
                for start, length in zip(tensor.global_offset[prefix:], tensor.local_shape, strict=True)
            )
            tensor.data.copy_(whole[window])


def sharded_tensors(state: Any) -> Iterator[ShardedTensor]:
    """Every ShardedTensor of a sharded state dict, factories (such as SwiGLU's two halves) taken apart."""
    if isinstance(state, ShardedTensor):
        yield state
    elif isinstance(state, ShardedTensorFactory):
        yield from sharded_tensors(state.build())
    elif isinstance(state, dict):
        for value in state.values():
            yield from sharded_tensors(value)
    elif isinstance(state, list | tuple):
        for value in state:
            yield from sharded_tensors(value)


def _draw(key: str, shape: tuple[int, ...], model: ModelConfig, generator: torch.Generator) -> Tensor:
    setting = model.initialisation
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "A_log":
        return torch.empty(shape).uniform_(1, 16, generator=generator).log()
    if leaf == "dt_bias":
        low, high = math.log(1e-3), math.log(1e-1)
        dt = torch.exp(torch.empty(shape).uniform_(low, high, generator=generator)).clamp(min=1e-4)
        return dt + torch.log(-torch.expm1(-dt))  # the inverse of softplus
    if leaf == "D" or (leaf == "weight" and len(shape) == 1):
        return torch.ones(shape)
    if "conv1d" in key:
        bound = (model.mamba.conv_kernel if model.mamba else 4) ** -0.5
        return torch.empty(shape).uniform_(-bound, bound, generator=generator)
    if "word_embeddings" in key:
        deviation = setting.embedding_std
    elif "output_layer" in key:
        deviation = setting.output_std
    else:
        deviation = shape[-1] ** -0.5 if setting.scale == "fan_in" else float(setting.scale)
        if key.endswith(_RESIDUAL_OUTPUTS):
            deviation /= math.sqrt(_residual_writes(model))
    return torch.empty(shape).normal_(0, deviation, generator=generator)


def _residual_writes(model: ModelConfig) -> int:
    """A transformer layer writes to the residual stream twice, a hybrid's layer once."""
    return model.num_layers if model.hybrid_pattern else 2 * model.num_layers
