"""Which layouts a model and its batches can be spread over, and which of those is nearest to one that can't."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prism.recipe.schema.cluster import ClusterConfig
from prism.recipe.schema.model import ModelConfig
from prism.recipe.schema.training import MidtrainConfig

_FP8_MULTIPLE = 16


@dataclass(frozen=True)
class Problem:
    """Why a layout doesn't work. `key` is the cluster key at fault, None where batch or sequence are.

    remedy: what helps without another layout; "" where there is no such thing.
    """

    key: str | None
    message: str
    remedy: str = ""


def replica_size(cluster: ClusterConfig) -> int:
    """Processes that hold one copy of the model."""
    return cluster.tensor_parallel * cluster.pipeline_parallel * cluster.context_parallel


def model_problems(model: ModelConfig, cluster: ClusterConfig) -> Iterator[Problem]:
    """What keeps `model` from being spread as `cluster` says."""
    yield from _tensor_problems(model, cluster)
    yield from _pipeline_problems(model, cluster)
    yield from _context_problems(model, cluster)
    if cluster.sequence_parallel and cluster.tensor_parallel == 1:
        yield Problem(
            "sequence_parallel",
            "sequence_parallel splits over tensor-parallel devices, and there is one",
            "set it to false",
        )
    if cluster.recompute_layers is not None and cluster.recompute != "full":
        yield Problem(
            "recompute_layers", f"recompute_layers needs recompute full, not {cluster.recompute}", "leave it out"
        )
    if cluster.offload_optimizer > 0 and not cluster.distributed_optimizer:
        yield Problem("offload_optimizer", "offload_optimizer needs a distributed_optimizer", "set it to true")
    if cluster.processes % replica_size(cluster):
        yield Problem(
            "processes",
            f"{cluster.processes} processes aren't a multiple of TP x PP x CP = {replica_size(cluster)}",
            f"use a multiple of {replica_size(cluster)}",
        )


def _tensor_problems(model: ModelConfig, cluster: ClusterConfig) -> Iterator[Problem]:
    size = cluster.tensor_parallel
    counts = {
        "query heads": model.num_attention_heads,
        "key-value heads": model.num_query_groups or model.num_attention_heads,
    }
    if model.mamba is not None:
        counts["Mamba heads"] = model.mamba.inner_size // model.mamba.head_dim
        if model.mamba.num_groups > 1:  # a single group is replicated
            counts["Mamba groups"] = model.mamba.num_groups
    counts["units of an MLP"] = model.ffn_hidden_size
    for what, count in counts.items():
        if count % size:
            fits = _nearest(size, divisors(math.gcd(*counts.values())))
            yield Problem("tensor_parallel", f"tensor_parallel {size} doesn't divide {count} {what}", fits)
            return


def _pipeline_problems(model: ModelConfig, cluster: ClusterConfig) -> Iterator[Problem]:
    stages, chunks = cluster.pipeline_parallel, cluster.virtual_pipeline
    if chunks > 1 and model.hybrid_pattern:
        yield Problem(
            "virtual_pipeline", f"virtual_pipeline {chunks}: hybrid models can't be interleaved", "set it to 1"
        )
        return
    if chunks > 1 and stages == 1:
        yield Problem("virtual_pipeline", f"virtual_pipeline {chunks} needs pipeline_parallel above 1", "set it to 1")
        return
    if model.num_layers % stages:
        fits = _nearest(stages, divisors(model.num_layers))
        yield Problem("pipeline_parallel", f"pipeline_parallel {stages} doesn't divide {model.num_layers} layers", fits)
    elif model.num_layers % (stages * chunks):
        yield Problem(
            "virtual_pipeline",
            f"pipeline_parallel x virtual_pipeline = {stages * chunks} doesn't divide {model.num_layers} layers",
        )


def _context_problems(model: ModelConfig, cluster: ClusterConfig) -> Iterator[Problem]:
    """A context-parallel device scans some of its tensor-parallel device's Mamba heads."""
    size, mamba = cluster.context_parallel, model.mamba
    if mamba is None or model.hybrid_pattern is None:
        return
    heads = mamba.inner_size // mamba.head_dim // cluster.tensor_parallel
    groups = max(1, mamba.num_groups // cluster.tensor_parallel)
    if heads % size or (groups % size and size % groups):
        yield Problem(
            "context_parallel",
            f"context_parallel {size} can't share {heads} Mamba heads in {groups} groups of a tensor-parallel device",
        )


def batch_problems(config: MidtrainConfig, cluster: ClusterConfig) -> Iterator[Problem]:
    """What keeps a training stage's batches from being dealt out to the devices of `cluster`."""
    if cluster.offload_optimizer > 0 and config.precision == "fp32":
        yield Problem(None, "offload_optimizer needs weights narrower than fp32", "set precision to bf16")
    yield from _length_problems(config, cluster)
    if cluster.processes % replica_size(cluster):
        return
    replicas = cluster.processes // replica_size(cluster)
    row = config.micro_batch_size * replicas
    if config.global_batch_size % row:
        yield Problem(
            None,
            f"global_batch_size {config.global_batch_size} isn't a multiple of "
            f"micro_batch_size x data parallel = {row}",
            f"use a multiple of {row}",
        )
    elif cluster.virtual_pipeline > 1 and config.global_batch_size // row % cluster.pipeline_parallel:
        whole = row * cluster.pipeline_parallel
        yield Problem(
            None,
            f"{config.global_batch_size // row} micro batches a step aren't a multiple of pipeline_parallel "
            f"{cluster.pipeline_parallel}, as an interleaved pipeline needs",
            f"use a global_batch_size that is a multiple of {whole}",
        )


def _length_problems(config: MidtrainConfig, cluster: ClusterConfig) -> Iterator[Problem]:
    length, context, tensor = config.sequence_length, cluster.context_parallel, cluster.tensor_parallel
    if context > 1 and length % (2 * context):
        yield Problem(
            None,
            f"sequence_length {length} can't be cut into 2 x context_parallel = {2 * context} chunks",
            f"use a multiple of {2 * context}",
        )
        return
    own = length // context
    if cluster.sequence_parallel and own % tensor:
        whole = math.lcm(context * tensor, 2 * context if context > 1 else 1)
        yield Problem(
            None,
            f"the {own} positions of a device can't be split over tensor_parallel {tensor} for sequence_parallel",
            f"use a sequence_length that is a multiple of {whole}",
        )
        return
    positions = config.micro_batch_size * own // (tensor if cluster.sequence_parallel else 1)
    precision: str = config.precision
    if precision == "fp8" and positions % _FP8_MULTIPLE:
        yield Problem(
            None,
            f"fp8 needs a multiple of {_FP8_MULTIPLE} positions on a device, not {positions}",
            "use a longer sequence_length, or precision bf16",
        )


def nearest_layout(
    model: ModelConfig, cluster: ClusterConfig, stages: Sequence[MidtrainConfig]
) -> ClusterConfig | None:
    """The working layout of as many processes that differs least from `cluster`; None where there is none.

    Sizes differ by the ratio between them, each halving or doubling alike; the tensor-parallel size is changed last.

    Args:
        stages: settings of the training stages whose batches must fit too.
    """
    best: tuple[tuple[float, ...], ClusterConfig] | None = None
    for candidate in _candidates(model, cluster):
        distance = layout_distance(candidate, cluster)
        if best is not None and best[0] <= distance:
            continue
        if any(model_problems(model, candidate)) or any(any(batch_problems(stage, candidate)) for stage in stages):
            continue
        best = distance, candidate
    return None if best is None else best[1]


def _candidates(model: ModelConfig, cluster: ClusterConfig) -> Iterator[ClusterConfig]:
    for tensor in divisors(cluster.processes):
        for pipeline in divisors(math.gcd(cluster.processes // tensor, model.num_layers)):
            for context in divisors(cluster.processes // tensor // pipeline):
                chunks = (
                    divisors(model.num_layers // pipeline) if cluster.virtual_pipeline > 1 and pipeline > 1 else (1,)
                )
                for virtual in chunks:
                    yield cluster.model_copy(
                        update={
                            "tensor_parallel": tensor,
                            "pipeline_parallel": pipeline,
                            "virtual_pipeline": virtual,
                            "context_parallel": context,
                            "sequence_parallel": cluster.sequence_parallel and tensor > 1,
                            "recompute_layers": cluster.recompute_layers if cluster.recompute == "full" else None,
                        }
                    )


def layout_distance(candidate: ClusterConfig, wanted: ClusterConfig) -> tuple[float, ...]:
    """Total change, and what decides among equals: of the tensor-parallel size, of the others, fewer copies."""
    keys = ("tensor_parallel", "context_parallel", "pipeline_parallel", "virtual_pipeline")
    changes = [abs(math.log2(getattr(candidate, key) / getattr(wanted, key))) for key in keys]
    return (sum(changes), *changes, replica_size(candidate))


def _nearest(size: int, fits: Sequence[int]) -> str:
    return f"nearest that does: {min(fits, key=lambda fit: (abs(fit - size), fit))}"


def divisors(number: int) -> tuple[int, ...]:
    """Rising, 1 and `number` among them."""
    return tuple(size for size in range(1, number + 1) if number % size == 0)


def in_words(cluster: ClusterConfig) -> str:
    """A layout's sizes, those above 1, and its replicas."""
    sizes = {
        "tensor_parallel": cluster.tensor_parallel,
        "pipeline_parallel": cluster.pipeline_parallel,
        "virtual_pipeline": cluster.virtual_pipeline,
        "context_parallel": cluster.context_parallel,
    }
    named = [f"{key} {size}" for key, size in sizes.items() if size > 1] or ["tensor_parallel 1"]
    replicas = cluster.processes // replica_size(cluster)
    sequence = " with" if cluster.sequence_parallel else " without"
    return f"{', '.join(named)}, {replicas} replica{'s' if replicas > 1 else ''},{sequence} sequence_parallel"
