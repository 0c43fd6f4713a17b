"""Whether a recipe's model and batches can be spread over devices as its cluster sections say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from prism.recipe.findings import Finding, invalid
from prism.recipe.recipe import TRAINING_KINDS, Recipe
from prism.recipe.schema.cluster import ClusterConfig


def cluster_findings(recipe: Recipe) -> Iterator[Finding]:
    """What is wrong with `cluster`, and with the stages' own `cluster` keys."""
    yield from _layout(recipe, recipe.cluster, ("cluster",))
    yield from _batches(recipe, [name for name, node in recipe.pipeline.items() if not node.cluster])
    for name, node in recipe.pipeline.items():
        if not node.cluster:
            continue
        path = ("pipeline", name, "cluster")
        try:
            cluster = recipe.cluster_config(name)
        except ValidationError as error:
            yield from invalid(error, ClusterConfig, path)
            continue
        yield from _layout(recipe, cluster, path)
        yield from _batches(recipe, [name])


def _layout(recipe: Recipe, cluster: ClusterConfig, path: tuple[str, ...]) -> Iterator[Finding]:
    """Whether the model can be spread as `cluster` says."""
    model, tensor = recipe.model, cluster.tensor_parallel
    counts = {
        "query heads": model.num_attention_heads,
        "key-value heads": model.num_query_groups or model.num_attention_heads,
    }
    if model.mamba is not None:
        counts["Mamba heads"] = model.mamba.inner_size // model.mamba.head_dim
        if model.mamba.num_groups > 1:  # a single group is replicated
            counts["Mamba groups"] = model.mamba.num_groups
    for what, count in counts.items():
        if count % tensor:
            fits = [size for size in range(1, count + 1) if all(n % size == 0 for n in counts.values())]
            nearest = min(fits, key=lambda size: (abs(size - tensor), size))
            yield Finding(
                (*path, "tensor_parallel"),
                f"tensor_parallel {tensor} doesn't divide {count} {what}",
                f"nearest that does: {nearest}",
            )
            break
    if model.num_layers % cluster.pipeline_parallel:
        fits = [size for size in range(1, model.num_layers + 1) if model.num_layers % size == 0]
        nearest = min(fits, key=lambda size: (abs(size - cluster.pipeline_parallel), size))
        yield Finding(
            (*path, "pipeline_parallel"),
            f"pipeline_parallel {cluster.pipeline_parallel} doesn't divide {model.num_layers} layers",
            f"nearest that does: {nearest}",
        )
    size = _model_parallel(cluster)
    if cluster.processes % size:
        yield Finding(
            (*path, "processes"),
            f"{cluster.processes} processes aren't a multiple of TP x PP x CP = {size}",
            f"use a multiple of {size}",
        )


def _model_parallel(cluster: ClusterConfig) -> int:
    return cluster.tensor_parallel * cluster.pipeline_parallel * cluster.context_parallel


def _batches(recipe: Recipe, stages: Iterable[str]) -> Iterator[Finding]:
    """Whether each training stage's global batch can be dealt out to its replicas."""
    for name in stages:
        if recipe.pipeline[name].stage not in TRAINING_KINDS:
            continue
        try:
            config, cluster = recipe.training_config(name), recipe.cluster_config(name)
        except ValidationError:
            continue
        chunks = 2 * cluster.context_parallel
        if cluster.context_parallel > 1 and config.sequence_length % chunks:
            yield Finding(
                ("pipeline", name),
                f"sequence_length {config.sequence_length} can't be cut into 2 x context_parallel = {chunks} chunks",
                f"use a multiple of {chunks}",
            )
        if cluster.processes % _model_parallel(cluster):
            continue
        step = config.micro_batch_size * cluster.processes // _model_parallel(cluster)
        if config.global_batch_size % step:
            yield Finding(
                ("pipeline", name),
                f"global_batch_size {config.global_batch_size} isn't a multiple of "
                f"micro_batch_size x data parallel = {step}",
                f"use a multiple of {step}",
            )
