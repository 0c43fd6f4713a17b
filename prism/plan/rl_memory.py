"""What an RL stage's parts take of one GPU, in each part of a step, by the recipe alone.

| part | bytes a parameter |
|---|---|
| weights | 2 in bf16, 4 in fp32 |
| gradients | 4 |
| optimizer | 8 of moments, 4 more of wide weights in bf16; split over data-parallel GPUs |
| reference | 4 that are kept, and 2 of the model that computes in bf16 |
| activations, logits | of a micro batch of the trainer, from the census of the real model |
| buffers, overhead | NCCL's; CUDA's context, and what the allocator rounds up |

A megatron generator's caches hold as many sequences as decode together, each as long as the recipe lets it be: an upper
bound. A vLLM server takes the share of its GPUs that the recipe gives it, weights and caches together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from prism.errors import GateRefused
from prism.plan.devices import constants, device_of
from prism.plan.memory import Memory, Work, census_of, ranks, worst
from prism.recipe import ClusterConfig, ModelConfig, Recipe, RlConfig
from prism.recipe.layouts import replica_size

_GIB = 2**30
BYTES: Mapping[str, int] = {"fp32": 4, "bf16": 2, "float32": 4, "float16": 2, "bfloat16": 2}
_STATEBYTES = 4
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


def rl_memory(recipe: Recipe, stage: str, vocab_size: int) -> RlMemory:
    """Of RL stage `stage`."""
    return _Stage(recipe.model, vocab_size, recipe.rl_config(stage), recipe.cluster_config(stage)).memory()


def check_rl_memory(recipe: Recipe, stage: str, vocab_size: int) -> RlMemory:
    """The same, held to the memory of the cluster's device.

    Raises:
        GateRefused: a phase takes more than a device has; the remedy is the first change that helps.
    """
    own = _Stage(recipe.model, vocab_size, recipe.rl_config(stage), recipe.cluster_config(stage))
    found = own.memory()
    wrong = _too_much(found, own)
    if wrong is not None:
        raise GateRefused(wrong, place=f"pipeline.{stage}", remedy=_remedy(own))
    return found


def trainer_work(model: ModelConfig, vocab_size: int, config: RlConfig, cluster: ClusterConfig) -> Work:
    """What an update asks of the trainer: rows of `packing_tokens`, or responses of full length side by side."""
    replicas = max(1, cluster.processes // replica_size(cluster))
    longest = min(model.max_position_embeddings, config.max_response_tokens)
    responses = config.prompts_per_step * config.responses_per_prompt / config.updates_per_step / replicas
    if config.packing_tokens is not None:
        rows, length = 1, min(model.max_position_embeddings, config.packing_tokens)
        batches = responses * longest / length
    else:
        rows, length = config.micro_batch_size, longest
        batches = responses / rows
    return Work(model, vocab_size, cluster, rows, length, max(1, math.ceil(batches)), config.precision)


def in_words(phase: Phase) -> str:
    """Such as `train: 61.20 GiB a GPU (weights 3.80, gradients 7.60)`."""
    parts = ", ".join(f"{name} {size / _GIB:.2f}" for name, size in phase.parts.items() if size)
    return f"{phase.name}: {phase.bytes / _GIB:.2f} GiB a GPU ({parts})"


@dataclass(frozen=True)
class _Stage:
    model: ModelConfig
    vocab_size: int
    config: RlConfig
    cluster: ClusterConfig

    @property
    def gib(self) -> float:
        return device_of(self.cluster).memory_gib

    @property
    def work(self) -> Work:
        return trainer_work(self.model, self.vocab_size, self.config, self.cluster)

    @property
    def whole(self) -> int:
        return census_of(self.work).model_parameters

    def memory(self) -> RlMemory:
        config, model, cluster = self.config, self.model, self.cluster
        rank = worst(ranks(self.work, constants().overhead))
        own = self._trainer(rank.parameters, rank.memory)
        away = config.placement.offload_optimizer
        rests = {**own, "gradients": 0.0, "optimizer": 0.0} if away else own
        rests = {**rests, "activations": 0.0, "logits": 0.0}
        train = Phase("train", own)
        visiting = self._visiting_reference(rank.parameters)
        phases = [train]
        if visiting:
            phases.append(
                Phase("reference", {**own, "activations": 0.0, "logits": 0.0, "visiting reference": visiting})
            )
        if config.generator.kind == "megatron":
            sequence, together = sequence_bytes(model, config, cluster), slots(config, cluster)
            return RlMemory([Phase("rollout", {**rests, "caches": together * sequence}), *phases], together)
        share = config.generator.vllm.gpu_memory_utilization * self.gib * _GIB
        weights = BYTES[config.generator.vllm.dtype] * self.whole / config.generator.vllm.tensor_parallel
        server = {"generator weights": weights, "generator caches": max(0.0, share - weights)}
        sequences = max(0.0, share - weights) / sequence_bytes(model, config, cluster)
        if config.placement.mode == "separate":
            return RlMemory([Phase("rollout, generator's GPUs", server), *phases], sequences)
        return RlMemory([Phase("rollout", {**rests, **server}), *phases], sequences)

    def _trainer(self, parameters: int, found: Memory) -> dict[str, float]:
        """What lies on a trainer's GPU while it trains."""
        config, reference = self.config, 0.0
        if config.kl_coefficient > 0:
            reference += 0 if config.placement.offload_reference else 4 * parameters
            reference += 0 if config.precision == "fp32" else BYTES[config.precision] * parameters
        parts = asdict(found)
        return {
            **{name: parts[name] for name in ("weights", "gradients", "optimizer")},
            "reference": reference,
            **{name: parts[name] for name in ("activations", "logits", "buffers", "overhead")},
        }

    def _visiting_reference(self, parameters: int) -> float:
        """In fp32 the reference that is kept computes too, so from the host it comes to the device."""
        config = self.config
        if config.kl_coefficient == 0 or not config.placement.offload_reference or config.precision != "fp32":
            return 0.0
        return 4.0 * parameters


def slots(config: RlConfig, cluster: ClusterConfig) -> int:
    """Sequences that a replica decodes together."""
    replicas = max(1, cluster.processes // replica_size(cluster))
    return min(config.generator.slots, -(-config.prompts_per_step // replicas) * config.responses_per_prompt)


def sequence_bytes(model: ModelConfig, config: RlConfig, cluster: ClusterConfig) -> float:
    """What the generator's caches hold of a sequence of full length, on one GPU."""
    vllm = config.generator.kind == "vllm"
    tensor = config.generator.vllm.tensor_parallel if vllm else cluster.tensor_parallel
    layers = 1 if vllm else cluster.pipeline_parallel
    width = BYTES[config.generator.vllm.dtype if vllm else config.precision]
    length = _sequence_tokens(model, config)
    kinds = model.hybrid_pattern or "*" * model.num_layers
    groups = model.num_query_groups or model.num_attention_heads
    head = model.head_dim or model.hidden_size // model.num_attention_heads
    total = kinds.count("*") * 2 * length * max(1, groups / tensor) * head * width
    if model.mamba is not None:
        mamba = model.mamba
        channels = mamba.inner_size + 2 * mamba.num_groups * mamba.state_dim
        states = mamba.inner_size * mamba.state_dim * _STATEBYTES + channels * mamba.conv_kernel * width
        total += kinds.count("M") * states / tensor
    return total / layers


def _sequence_tokens(model: ModelConfig, config: RlConfig) -> int:
    """Tokens of the longest sequence: what packing makes room for, or a server's context."""
    if config.generator.kind == "vllm":
        return config.generator.vllm.context_length or model.max_position_embeddings
    return min(model.max_position_embeddings, max(config.max_response_tokens, config.packing_tokens or 0))


def _too_much(found: RlMemory, stage: _Stage) -> str | None:
    for phase in found.phases:
        if phase.bytes > stage.gib * _GIB:
            return f"{in_words(phase)} don't fit the {stage.gib:g} GiB of a {stage.cluster.device}"
    if found.sequences < 1:
        return (
            "rl.generator.vllm: beside the weights a server has no room for one sequence of full length "
            f"({found.sequences:.2f} fit)"
        )
    return None


def _remedy(stage: _Stage) -> str:
    for words, changed in _changes(stage.config):
        other = replace(stage, config=changed)
        if _too_much(other.memory(), other) is None:
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
