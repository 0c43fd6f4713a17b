"""Layouts of as many devices that fit, fastest first, and the one nearest to a layout that doesn't fit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from prism.plan.stages import StagePlan, training_plan
from prism.recipe import ClusterConfig, Recipe
from prism.recipe.layouts import batch_problems, divisors, layout_distance, model_problems
from prism.recipe.schema.training import MidtrainConfig

_LONG_TOKENS = 32_768
"""Sequences from which on context parallelism is tried where the recipe has none."""
_MICRO_BATCHES = (1, 2, 4, 8)
_RECOMPUTE = ("none", "selective", "full")


@dataclass(frozen=True)
class Proposal:
    """A layout that fits. changes: recipe keys of the stage with their values, those that differ."""

    plan: StagePlan
    micro_batch_size: int
    changes: dict[str, object]

    def overrides(self, stage: str) -> str:
        """As options of a command."""
        return " ".join(f"--set pipeline.{stage}.{key}={_value(value)}" for key, value in self.changes.items())


def search(recipe: Recipe, stage: str, vocab_size: int, most: int = 5) -> list[Proposal]:
    """The fastest layouts of training stage `stage` that fit, fastest first.

    Tries tensor parallelism inside a node, pipelines with and without interleaving, context parallelism for long
    sequences, micro batches, and as little recomputation as fits.
    """
    own, config = recipe.cluster_config(stage), recipe.training_config(stage)
    found: list[Proposal] = []
    for layout in _layouts(recipe, own, config):
        for size in _MICRO_BATCHES:
            fitting = _least_recomputation(recipe, stage, vocab_size, layout, own, config, size)
            if fitting is None:
                break
            found.append(fitting)
    found.sort(key=lambda one: one.plan.step_s)
    return found[:most]


def nearest(recipe: Recipe, stage: str, vocab_size: int) -> Proposal | None:
    """The fitting layout that differs least from the recipe's: cheap keys first, then the sizes of the layout."""
    own, config = recipe.cluster_config(stage), recipe.training_config(stage)
    layouts = sorted(_layouts(recipe, own, config), key=lambda one: layout_distance(one, own))
    for layout in [own, *layouts]:
        steps = [layout]
        if layout.tensor_parallel > 1 and not layout.sequence_parallel:
            steps.append(layout.model_copy(update={"sequence_parallel": True}))
        for start in steps:
            fitting = _least_recomputation(recipe, stage, vocab_size, start, own, config, config.micro_batch_size)
            if fitting is None and config.micro_batch_size > 1:
                fitting = _least_recomputation(recipe, stage, vocab_size, start, own, config, 1)
            if fitting is not None:
                return fitting
    return None


def _least_recomputation(
    recipe: Recipe,
    stage: str,
    vocab_size: int,
    layout: ClusterConfig,
    own: ClusterConfig,
    config: MidtrainConfig,
    micro_batch_size: int,
) -> Proposal | None:
    settings = config.model_copy(update={"micro_batch_size": micro_batch_size})
    for recompute in _RECOMPUTE:
        cluster = layout.model_copy(update={"recompute": recompute, "recompute_layers": None})
        if any(model_problems(recipe.model, cluster)) or any(batch_problems(settings, cluster)):
            return None
        planned = training_plan(recipe, stage, vocab_size, cluster, settings)
        if planned.fits:
            return Proposal(planned, micro_batch_size, _changes(cluster, own, settings, config))
    return None


def _layouts(recipe: Recipe, own: ClusterConfig, config: MidtrainConfig) -> Iterator[ClusterConfig]:
    model, processes = recipe.model, own.processes
    for tensor in divisors(math.gcd(processes, own.devices_per_node)):
        for context in _contexts(own, config, processes // tensor):
            for pipeline in divisors(math.gcd(processes // tensor // context, model.num_layers)):
                for virtual in divisors(model.num_layers // pipeline) if pipeline > 1 else (1,):
                    layout = own.model_copy(
                        update={
                            "tensor_parallel": tensor,
                            "context_parallel": context,
                            "pipeline_parallel": pipeline,
                            "virtual_pipeline": virtual,
                            "sequence_parallel": tensor > 1,
                            "recompute": "none",
                            "recompute_layers": None,
                        }
                    )
                    if not any(model_problems(model, layout)) and not any(
                        batch_problems(config.model_copy(update={"micro_batch_size": 1}), layout)
                    ):
                        yield layout


def _contexts(own: ClusterConfig, config: MidtrainConfig, ranks: int) -> list[int]:
    sizes = [size for size in divisors(ranks) if size <= 16]
    return sizes if config.sequence_length >= _LONG_TOKENS or own.context_parallel > 1 else [1]


def _changes(
    cluster: ClusterConfig, own: ClusterConfig, settings: MidtrainConfig, config: MidtrainConfig
) -> dict[str, object]:
    before, after = own.model_dump(), cluster.model_dump()
    changes: dict[str, object] = {f"cluster.{key}": after[key] for key in after if after[key] != before[key]}
    if settings.micro_batch_size != config.micro_batch_size:
        changes["with.micro_batch_size"] = settings.micro_batch_size
    return changes


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
