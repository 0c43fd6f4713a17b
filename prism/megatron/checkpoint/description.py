"""What a checkpoint says of its layout and its model, and whether another model fits it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from megatron.core.distributed import DistributedDataParallel
from megatron.core.transformer.module import Float16Module

from prism.errors import BadInput
from prism.formats.blocks import Blocks
from prism.formats.step_state import StepState

_SIZES = ("tensor", "pipeline", "virtual", "context", "data")
_MODEL_KEYS = (
    "num_layers",
    "hidden_size",
    "ffn_hidden_size",
    "num_attention_heads",
    "num_query_groups",
    "kv_channels",
    "gated_linear_unit",
    "normalization",
    "layernorm_epsilon",
    "softmax_scale",
    "mamba_state_dim",
    "mamba_head_dim",
    "mamba_num_groups",
    "mamba_num_heads",
)
"""Fields of megatron-core's configuration that a later stage has no reason to change."""


def unwrap(chunk: torch.nn.Module) -> Any:
    """The model inside the data-parallel wrapper, whose names are those of the checkpoint; untyped as Megatron."""
    return chunk.module if isinstance(chunk, DistributedDataParallel) else chunk


def describe_layout(chunks: Sequence[torch.nn.Module], optimizer: Any) -> dict[str, Any]:
    """Sizes that the model is spread by; the same on every rank."""
    context = int(parallel_state.get_context_parallel_world_size())
    wrapped = [chunk for chunk in chunks if isinstance(chunk, DistributedDataParallel)]
    distributed = any(chunk.ddp_config.use_distributed_optimizer for chunk in wrapped)
    return {
        "world": dist.get_world_size(),
        "tensor": int(parallel_state.get_tensor_model_parallel_world_size()),
        "pipeline": int(parallel_state.get_pipeline_model_parallel_world_size()),
        "virtual": len(chunks),
        "context": context,
        "data": int(parallel_state.get_data_parallel_world_size()),
        "distributed_optimizer": optimizer is not None and distributed,
        "precision": str(unwrap(chunks[0]).config.params_dtype).removeprefix("torch."),
    }


def describe_model(chunks: Sequence[torch.nn.Module]) -> dict[str, Any]:
    """What this rank knows of the model's shape; only the last pipeline stage knows about logits."""
    module = innermost(chunks[-1])
    config = module.config
    found = {key: getattr(config, key, None) for key in _MODEL_KEYS}
    found["activation"] = getattr(config.activation_func, "__name__", str(config.activation_func))
    found["hybrid_pattern"] = getattr(module, "hybrid_override_pattern", None)
    found["tied_embeddings"] = bool(module.share_embeddings_and_output_weights)
    rule = getattr(module, "logits_rule", None)
    if rule is not None:
        found |= {"vocabulary": rule.vocabulary, "logits_scaling": rule.scaling}
    return found


def innermost(chunk: torch.nn.Module) -> Any:
    """The model itself, inside what converts its inputs and outputs in half precision too."""
    module = unwrap(chunk)
    return module.module if isinstance(module, Float16Module) else module


def impossible(said: StepState) -> str | None:
    """What can't be in a checkpoint's layout, in words."""
    layout = said.layout
    if layout is None:
        return None
    sizes: dict[str, Any] = {name: layout.get(name) for name in ("world", *_SIZES)}
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            return f"{name} is {size}"
    world = sizes["tensor"] * sizes["pipeline"] * sizes["context"] * sizes["data"]
    if world != sizes["world"]:
        return f"tensor x pipeline x context x data is {world}, for {sizes['world']} ranks"
    random = sum(name.startswith("rng_") for name in said.files or ())
    if random not in (0, sizes["world"]):
        return f"random states of {random} ranks, for {sizes['world']}"
    layers = (said.model or {}).get("num_layers")
    stages = sizes["pipeline"] * sizes["virtual"]
    if isinstance(layers, int) and layers % stages:
        return f"{layers} layers on {stages} stages"
    return None


def refuse_other_model(said: StepState, chunks: Sequence[torch.nn.Module], path: Path) -> None:
    """Raises BadInput when the checkpoint holds another model than `chunks` are part of, key by key in words."""
    if said.model is None:
        return
    own = describe_model(chunks)
    differing = [
        f"{key} is {own[key]} here, {said.model[key]} there"
        for key in own
        if key in said.model and own[key] != said.model[key]
    ]
    if differing:
        raise _other_model(differing, path)


def refuse_other_shapes(stored: Blocks, wanted: Mapping[str, tuple[tuple[int, ...], bool]]) -> None:
    """Raises BadInput when a tensor is missing or has another shape.

    Args:
        wanted: shape of each, and whether the first dimension may differ, as a padded vocabulary's does.
    """
    differing = []
    for key, (shape, padded) in wanted.items():
        found = stored.shape(key)
        if found is None:
            differing.append(f"it has no {key}")
        elif found != shape and not (padded and found[1:] == shape[1:]):
            differing.append(f"{key} is {shape} here, {found} there")
    if differing:
        raise _other_model(differing, stored.path)


def _other_model(differing: Sequence[str], path: Path) -> BadInput:
    more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
    return BadInput(
        f"holds another model: {'; '.join(differing[:3])}{more}",
        place=str(path),
        remedy="check that the recipe's model is the one that was saved, or go back to an earlier checkpoint",
    )
