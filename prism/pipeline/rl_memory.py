"""What an RL stage's parts take of one GPU, in each part of a step, by the recipe alone.

| part | bytes a parameter |
|---|---|
| weights | 2 in bf16, 4 in fp32 |
| gradients | 4 |
| optimizer | 8 of moments, 4 more of wide weights in bf16; split over data-parallel GPUs |
| reference | 4 that are kept, and 2 of the model that computes in bf16 |

A megatron generator's caches hold as many sequences as decode together, each as long as the recipe lets it be: an upper
bound. A vLLM server takes the share of its GPUs that the recipe gives it, weights and caches together. Activations,
communication buffers and the CUDA context aren't counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prism.errors import GateRefused
from prism.pipeline.sizes import parameter_count
from prism.recipe import ClusterConfig, ModelConfig, Recipe, RlConfig
from prism.recipe.layouts import replica_size

_GIB = 2**30
_BYTES = {"fp32": 4, "bf16": 2, "float32": 4, "float16": 2, "bfloat16": 2}
_STATE_BYTES = 4
"""Mamba's states are fp32."""


@dataclass(frozen=True)
class Phase:
    """A part of a step on one kind of GPU: what lies there, in bytes."""

    name: str
    parts: Mapping[str, float]

    @property
    def bytes(self) -> float:
        return sum(self.parts.values())


@dataclass(frozen=True)
class RlMemory:
    """The phases of a step, and how many sequences of full length the generator's caches hold (a replica's, or a
    server's).
    """

    phases: Sequence[Phase]
    sequences: float


def rl_memory(recipe: Recipe, stage: str) -> RlMemory:
    """Of RL stage `stage`."""
    return _memory(recipe.model, recipe.rl_config(stage), recipe.cluster_config(stage))


def check_rl_memory(recipe: Recipe, stage: str) -> RlMemory:
    """The same, held to `rl.placement.gpu_memory_gib`.

    Raises:
        GateRefused: a phase takes more than a GPU has; the remedy is the first change that helps.
    """
    config, cluster = recipe.rl_config(stage), recipe.cluster_config(stage)
    found = _memory(recipe.model, config, cluster)
    wrong = _too_much(found, config)
    if wrong is not None:
        raise GateRefused(wrong, place=f"pipeline.{stage}", remedy=_remedy(recipe.model, config, cluster))
    return found


def in_words(phase: Phase) -> str:
    """Such as `train: 61.20 GiB a GPU (weights 3.80, gradients 7.60)`."""
    parts = ", ".join(f"{name} {size / _GIB:.2f}" for name, size in phase.parts.items() if size)
    return f"{phase.name}: {phase.bytes / _GIB:.2f} GiB a GPU ({parts})"


def _memory(model: ModelConfig, config: RlConfig, cluster: ClusterConfig) -> RlMemory:
    own = _trainer(model, config, cluster)
    away = config.placement.offload_optimizer
    rests = {**own, "gradients": 0.0, "optimizer": 0.0} if away else own
    train = Phase("train", own)
    visiting = _visiting_reference(model, config, cluster)
    phases = [train, Phase("reference", {**own, "visiting reference": visiting})] if visiting else [train]
    if config.generator.kind == "megatron":
        sequence, slots = _sequence_bytes(model, config, cluster), _slots(config, cluster)
        return RlMemory([Phase("rollout", {**rests, "caches": slots * sequence}), *phases], slots)
    share = config.generator.vllm.gpu_memory_utilization * config.placement.gpu_memory_gib * _GIB
    weights = _server_weights(model, config)
    server = {"generator weights": weights, "generator caches": max(0.0, share - weights)}
    sequences = max(0.0, share - weights) / _sequence_bytes(model, config, cluster)
    if config.placement.mode == "separate":
        return RlMemory([Phase("rollout, generator's GPUs", server), *phases], sequences)
    return RlMemory([Phase("rollout", {**rests, **server}), *phases], sequences)


def _trainer(model: ModelConfig, config: RlConfig, cluster: ClusterConfig) -> dict[str, float]:
    """What lies on a trainer's GPU all the time but for offloading between phases."""
    parameters = parameter_count(model) / (cluster.tensor_parallel * cluster.pipeline_parallel)
    wide = 0 if config.precision == "fp32" else 4
    replicas = cluster.processes // (replica_size(cluster) // cluster.context_parallel)
    split = replicas if cluster.distributed_optimizer else 1
    reference = 0.0
    if config.kl_coefficient > 0:
        reference += 0 if config.placement.offload_reference else 4 * parameters
        reference += 0 if config.precision == "fp32" else _BYTES[config.precision] * parameters
    return {
        "weights": _BYTES[config.precision] * parameters,
        "gradients": 4 * parameters,
        "optimizer": (8 + wide) * parameters / split * (1 - cluster.offload_optimizer),
        "reference": reference,
    }


def _visiting_reference(model: ModelConfig, config: RlConfig, cluster: ClusterConfig) -> float:
    """In fp32 the reference that is kept computes too, so from the host it comes to the device."""
    if config.kl_coefficient == 0 or not config.placement.offload_reference or config.precision != "fp32":
        return 0.0
    return 4 * parameter_count(model) / (cluster.tensor_parallel * cluster.pipeline_parallel)


def _slots(config: RlConfig, cluster: ClusterConfig) -> int:
    """Sequences that a replica decodes together."""
    replicas = max(1, cluster.processes // replica_size(cluster))
    return min(config.generator.slots, -(-config.prompts_per_step // replicas) * config.responses_per_prompt)


def _sequence_bytes(model: ModelConfig, config: RlConfig, cluster: ClusterConfig) -> float:
    """What the generator's caches hold of a sequence of full length, on one GPU."""
    vllm = config.generator.kind == "vllm"
    tensor = config.generator.vllm.tensor_parallel if vllm else cluster.tensor_parallel
    layers = 1 if vllm else cluster.pipeline_parallel
    width = _BYTES[config.generator.vllm.dtype if vllm else config.precision]
    length = _sequence_tokens(model, config)
    kinds = model.hybrid_pattern or "*" * model.num_layers
    groups = model.num_query_groups or model.num_attention_heads
    head = model.head_dim or model.hidden_size // model.num_attention_heads
    total = kinds.count("*") * 2 * length * max(1, groups / tensor) * head * width
    if model.mamba is not None:
        mamba = model.mamba
        channels = mamba.inner_size + 2 * mamba.num_groups * mamba.state_dim
        states = mamba.inner_size * mamba.state_dim * _STATE_BYTES + channels * mamba.conv_kernel * width
        total += kinds.count("M") * states / tensor
    return total / layers


def _sequence_tokens(model: ModelConfig, config: RlConfig) -> int:
    """Tokens of the longest sequence: what packing makes room for, or a server's context."""
    if config.generator.kind == "vllm":
        return config.generator.vllm.context_length or model.max_position_embeddings
    return min(model.max_position_embeddings, max(config.max_response_tokens, config.packing_tokens or 0))


def _server_weights(model: ModelConfig, config: RlConfig) -> float:
    return _BYTES[config.generator.vllm.dtype] * parameter_count(model) / config.generator.vllm.tensor_parallel


def _too_much(found: RlMemory, config: RlConfig) -> str | None:
    limit = config.placement.gpu_memory_gib
    for phase in found.phases:
        if phase.bytes > limit * _GIB:
            return f"{in_words(phase)} don't fit the {limit:g} GiB of rl.placement.gpu_memory_gib"
    if found.sequences < 1:
        return (
            "rl.generator.vllm: beside the weights a server has no room for one sequence of full length "
            f"({found.sequences:.2f} fit)"
        )
    return None


def _remedy(model: ModelConfig, config: RlConfig, cluster: ClusterConfig) -> str:
    for words, changed in _changes(config):
        if _too_much(_memory(model, changed, cluster), changed) is None:
            return words
    return (
        "raise cluster.tensor_parallel, or with rl.generator.kind vllm its tensor_parallel; or set "
        "rl.placement.mode to separate"
    )


def _changes(config: RlConfig) -> Iterator[tuple[str, RlConfig]]:
    """Changes that cost little first, each on top of those before it."""
    done: list[str] = []
    for key in ("offload_optimizer", "offload_reference"):
        if not getattr(config.placement, key):
            config = _with(config, "placement", {key: True})
            done.append(f"rl.placement.{key} to true")
            yield f"set {' and '.join(done)}", config
    if config.generator.kind == "megatron":
        slots = config.generator.slots
        while slots > 1:
            slots //= 2
            config = _with(config, "generator", {"slots": slots})
            yield f"set {' and '.join([*done, f'rl.generator.slots to {slots}'])}", config
        return
    share = config.generator.vllm.gpu_memory_utilization
    while share > 0.1:
        share = round(share - 0.05, 2)
        vllm = config.generator.vllm.model_copy(update={"gpu_memory_utilization": share})
        config = _with(config, "generator", {"vllm": vllm})
        yield f"set {' and '.join([*done, f'rl.generator.vllm.gpu_memory_utilization to {share:g}'])}", config


def _with(config: RlConfig, section: str, keys: Mapping[str, Any]) -> RlConfig:
    return config.model_copy(update={section: getattr(config, section).model_copy(update=dict(keys))})
