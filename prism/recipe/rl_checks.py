"""Whether the generator and the placement of an RL stage agree with each other and with its cluster."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from prism.recipe.findings import Finding
from prism.recipe.recipe import Recipe
from prism.recipe.schema.cluster import ClusterConfig
from prism.recipe.schema.model import ModelConfig
from prism.recipe.schema.rl import RlConfig


def rl_findings(recipe: Recipe, name: str, config: RlConfig) -> Iterator[Finding]:
    """What is wrong with `rl.generator` and `rl.placement` of stage `name`, whose settings are `config`."""
    path = ("pipeline", name, "with")
    try:
        cluster = recipe.cluster_config(name)
    except ValidationError:  # reported where the stage's own keys are
        return
    yield from _placement(config, path)
    if config.generator.kind == "vllm":
        yield from _vllm(recipe.model, config, cluster, path)


def _placement(config: RlConfig, path: tuple[str, ...]) -> Iterator[Finding]:
    if config.placement.mode == "separate" and config.generator.kind == "megatron":
        yield Finding(
            (*path, "placement", "mode"),
            "rl.placement.mode separate: the megatron generator reads the trainer's own weights",
            "set it to colocated, or rl.generator.kind to vllm",
        )


def _vllm(model: ModelConfig, config: RlConfig, cluster: ClusterConfig, path: tuple[str, ...]) -> Iterator[Finding]:
    vllm, place = config.generator.vllm, (*path, "generator", "vllm")
    groups, tensor = model.num_query_groups or model.num_attention_heads, vllm.tensor_parallel
    if model.num_attention_heads % tensor or (groups % tensor and tensor % groups):
        yield Finding(
            (*place, "tensor_parallel"),
            f"rl.generator.vllm.tensor_parallel {tensor} can't share {model.num_attention_heads} heads and {groups} "
            "key-value heads",
            "use a size that divides the heads, and divides or is a multiple of the key-value heads",
        )
    context = vllm.context_length or model.max_position_embeddings
    if context > model.max_position_embeddings:
        yield Finding(
            (*place, "context_length"),
            f"rl.generator.vllm.context_length {context} is beyond model.max_position_embeddings "
            f"{model.max_position_embeddings}",
            "shorten it, or leave it out",
        )
    if config.max_response_tokens >= context:
        yield Finding(
            (*path, "max_response_tokens"),
            f"rl.max_response_tokens {config.max_response_tokens} leaves no room for a prompt in the generator's "
            f"{context} tokens",
            "shorten the responses, or raise rl.generator.vllm.context_length",
        )
    for number, url in enumerate(vllm.urls):
        if not url.startswith(("http://", "https://")):
            yield Finding(
                (*place, "urls", str(number)),
                f"rl.generator.vllm.urls: {url} is no address",
                "write http://HOST:PORT",
            )
    yield from _devices(config, cluster, place)


def _devices(config: RlConfig, cluster: ClusterConfig, place: tuple[str, ...]) -> Iterator[Finding]:
    vllm, colocated = config.generator.vllm, config.placement.mode == "colocated"
    needed = vllm.engines * vllm.tensor_parallel
    if colocated and not vllm.urls and needed > cluster.processes:
        yield Finding(
            (*place, "engines"),
            f"{vllm.engines} servers of {vllm.tensor_parallel} GPUs need {needed}, rl.placement.mode colocated has "
            f"cluster.processes {cluster.processes}",
            "start fewer servers, or set rl.placement.mode to separate",
        )
    if colocated and vllm.transport == "nccl":
        yield Finding(
            (*place, "transport"),
            "rl.generator.vllm.transport nccl: NCCL allows a GPU once in a group, and with rl.placement.mode colocated "
            "the trainer and a server share it",
            "set transport to folder (a folder in /dev/shm is fast), or rl.placement.mode to separate",
        )
