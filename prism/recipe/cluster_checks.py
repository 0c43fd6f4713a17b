"""Whether a recipe's model and batches can be spread over devices as its cluster sections say."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from prism.recipe.findings import Finding, invalid
from prism.recipe.layouts import Problem, batch_problems, in_words, model_problems, nearest_layout
from prism.recipe.recipe import TRAINING_KINDS, Recipe
from prism.recipe.schema.cluster import ClusterConfig
from prism.recipe.schema.training import MidtrainConfig

_DECODING_KINDS = ("rl", "difficulty")


def cluster_findings(recipe: Recipe) -> Iterator[Finding]:
    """What is wrong with `cluster` and with the stages' own `cluster` keys, and the nearest layout that works."""
    shared = [name for name, node in recipe.pipeline.items() if not node.cluster]
    yield from _layout(recipe, recipe.cluster, ("cluster",), shared)
    if recipe.cluster.virtual_pipeline > 1:
        yield Finding(
            ("cluster", "virtual_pipeline"),
            "evaluation, analysis and RL, which use this section too, don't run an interleaved pipeline",
            "set it in the training stages' own keys, pipeline.STAGE.cluster",
        )
    for name, node in recipe.pipeline.items():
        if not node.cluster:
            continue
        path = ("pipeline", name, "cluster")
        try:
            cluster = recipe.cluster_config(name)
        except ValidationError as error:
            yield from invalid(error, ClusterConfig, path)
            continue
        yield from _layout(recipe, cluster, path, [name])
        if node.stage in _DECODING_KINDS:
            yield from _decoding(cluster, path)


def _layout(recipe: Recipe, cluster: ClusterConfig, path: tuple[str, ...], stages: list[str]) -> Iterator[Finding]:
    """Whether the model can be spread as `cluster` says, and the batches of the training stages among `stages`."""
    settings = dict(_training_settings(recipe, stages))
    problems = [(path, problem) for problem in model_problems(recipe.model, cluster)]
    for name, config in settings.items():
        problems += [(("pipeline", name), problem) for problem in batch_problems(config, cluster)]
    if not problems:
        return
    near = nearest_layout(recipe.model, cluster, list(settings.values()))
    for place, problem in problems:
        yield Finding((*place, problem.key) if problem.key else place, problem.message, _remedy(problem, cluster, near))


def _remedy(problem: Problem, cluster: ClusterConfig, near: ClusterConfig | None) -> str:
    if near is None:
        return problem.remedy or f"no layout of {cluster.processes} processes works: change cluster.processes"
    nearest = f"the nearest layout that works: {in_words(near)}"
    return f"{problem.remedy}, or {nearest}" if problem.remedy else nearest


def _training_settings(recipe: Recipe, stages: list[str]) -> Iterator[tuple[str, MidtrainConfig]]:
    for name in stages:
        if recipe.pipeline[name].stage not in TRAINING_KINDS:
            continue
        try:
            yield name, recipe.training_config(name)
        except ValidationError:  # reported where the stage's own keys are
            continue


def _decoding(cluster: ClusterConfig, path: tuple[str, ...]) -> Iterator[Finding]:
    wrong = {
        "virtual_pipeline": (cluster.virtual_pipeline > 1, "1"),
        "context_parallel": (cluster.context_parallel > 1, "1"),
        "sequence_parallel": (cluster.sequence_parallel, "false"),
    }
    for key, (unfit, fit) in wrong.items():
        if unfit:
            yield Finding((*path, key), f"a stage that decodes can't use {key}", f"set it to {fit}")
