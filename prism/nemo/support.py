"""What NeMo-Aligner 0.7.0 can do of a recipe's RL, read in its source: models, layouts, and the keys of `rl`.

Its REINFORCE differs from section 9's GRPO: advantages are rewards less the mean of the prompt's other responses that
ended, undivided; the KL to the first policy is taken from the reward, a mean over the response's tokens; the loss has
neither a ratio nor a clip, and is a mean over the tokens of each micro batch, then over micro batches.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prism.errors import RecipeError, UsageError

if TYPE_CHECKING:
    from prism.recipe import ModelConfig, Recipe, RlConfig

FAMILIES = ("llama", "mistral")
"""Families whose converters NeMo 2.1.0 brings."""
OWN_ENGINE = "use this package's own engine: --set rl.engine=prism"


@dataclass(frozen=True)
class NotHonoured:
    """A key of `rl` that Aligner can't do as the recipe says, and what it does instead."""

    key: str
    value: Any
    instead: str


def check(recipe: Recipe, stage: str) -> list[NotHonoured]:
    """What of the stage Aligner won't honour.

    Raises:
        RecipeError: the model, the layout, or a key under `rl.aligner.require` is beyond it.
        UsageError: the stage isn't an rl stage of this engine.
    """
    if recipe.pipeline[stage].stage != "rl":
        raise UsageError(f"{stage} is no rl stage", place=f"pipeline.{stage}", remedy="name one with --stage")
    config = recipe.rl_config(stage)
    if config.engine != "aligner":
        raise UsageError(
            f"{stage} runs on this package's own engine", place="rl.engine", remedy="add --set rl.engine=aligner"
        )
    _check_model(recipe.model)
    _check_layout(recipe, stage)
    found = not_honoured(config)
    _check_required(config, found)
    return found


def not_honoured(config: RlConfig) -> list[NotHonoured]:
    """Keys that this configuration sets to what Aligner can't do, in the table's order."""
    plain = config.model_dump()
    return [
        NotHonoured(key, _value(plain, key), instead)
        for key, (honoured, instead) in _TABLE.items()
        if not honoured(config)
    ]


_TABLE: dict[str, tuple[Callable[[RlConfig], bool], str]] = {
    "importance_cap": (
        lambda rl: rl.importance_cap is None,
        "no correction for the generator's probabilities: the loss has no ratio",
    ),
    "token_normalisation": (
        lambda rl: rl.token_normalisation == "response" and rl.micro_batch_size == 1,
        "a mean over the tokens of each micro batch, then over micro batches",
    ),
    "clip_low": (lambda rl: False, "no clip"),
    "clip_high": (lambda rl: False, "no clip"),
    "advantage_epsilon": (
        lambda rl: False,
        "rewards less the mean of the prompt's other responses that ended, not divided by their deviation",
    ),
    "kl_coefficient": (
        lambda rl: rl.kl_coefficient == 0,
        "the coefficient is kept, but the KL, a mean over the response, is taken from the reward",
    ),
    "kl_estimator": (
        lambda rl: rl.kl_coefficient == 0 or rl.kl_estimator == "k1",
        "the difference of the log-probabilities (k1)",
    ),
    "reference_update": (lambda rl: rl.reference_update == 0, "the first policy stays the reference"),
    "precision": (lambda rl: rl.precision == "bf16", "weights in bf16, their main copy in fp32"),
    "refill_rounds": (lambda rl: rl.refill_rounds == 0, "groups whose rewards are all equal stay in the batch"),
    "packing_tokens": (lambda rl: rl.packing_tokens is None, "responses are padded to the longest"),
    "schedule.kind": (
        lambda rl: rl.schedule.kind != "exponential",
        "a linear decay to the same last learning rate",
    ),
    "generator.kind": (lambda rl: rl.generator.kind == "megatron", "TensorRT-LLM, or NeMo's own loop"),
    "checkpoint.keep_every": (
        lambda rl: rl.checkpoint.keep_every is None,
        "the checkpoints with the best validation rewards are kept",
    ),
    "trajectory": (
        lambda rl: not rl.trajectory.steps and rl.trajectory.every_steps is None,
        "no weights are kept along the way",
    ),
    "samples_kept": (lambda rl: rl.samples_kept == 0, "one response a step in Weights & Biases' table, no file"),
}
"""By key: whether a configuration is honoured, and what happens where it isn't."""


def _check_model(model: ModelConfig) -> None:
    if model.hybrid_pattern is not None or model.mamba is not None:
        raise RecipeError(
            f"NeMo-Aligner knows no Mamba or hybrid models, such as this {model.family}",
            place="model.hybrid_pattern",
            remedy=OWN_ENGINE,
        )
    if model.family not in FAMILIES:
        raise RecipeError(
            f"NeMo 2.1.0 has no converter for {model.family}, and its GPT none of Granite's multipliers",
            place="model.family",
            remedy=OWN_ENGINE,
        )
    if model.tie_embeddings:
        raise RecipeError(
            "NeMo's converter would untie embeddings and output layer", place="model.tie_embeddings", remedy=OWN_ENGINE
        )


def _check_layout(recipe: Recipe, stage: str) -> None:
    cluster = recipe.cluster_config(stage)
    for key in ("context_parallel", "virtual_pipeline"):
        if getattr(cluster, key) != 1:
            raise RecipeError(
                f"an Aligner job has no {key}", place=f"cluster.{key}", remedy=f"set cluster.{key}=1, or {OWN_ENGINE}"
            )
    if cluster.processes % cluster.devices_per_node:
        raise RecipeError(
            f"{cluster.processes} processes don't fill nodes of {cluster.devices_per_node}",
            place="cluster.processes",
            remedy="take whole nodes, or set cluster.devices_per_node",
        )


def _check_required(config: RlConfig, found: list[NotHonoured]) -> None:
    plain = config.model_dump()
    for key in config.aligner.require:
        if not _known(plain, key):
            near = difflib.get_close_matches(key, [*plain, *_TABLE], n=1)
            raise RecipeError(
                f"rl has no key {key}",
                place="rl.aligner.require",
                remedy=f"did you mean {near[0]}?" if near else "name keys of rl, such as importance_cap",
            )
    missed = [item for item in found if any(_covers(key, item.key) for key in config.aligner.require)]
    if missed:
        raise RecipeError(
            "; ".join(f"Aligner can't honour rl.{item.key} = {item.value}: {item.instead}" for item in missed),
            place="rl.aligner.require",
            remedy=f"take {', '.join(item.key for item in missed)} off the list, or {OWN_ENGINE}",
        )


def _covers(required: str, key: str) -> bool:
    """`schedule` covers `schedule.kind`, and the other way round."""
    return required == key or required.startswith(f"{key}.") or key.startswith(f"{required}.")


def _known(plain: dict[str, Any], key: str) -> bool:
    section: Any = plain
    for part in key.split("."):
        if not isinstance(section, dict) or part not in section:
            return False
        section = section[part]
    return True


def _value(plain: dict[str, Any], key: str) -> Any:
    section: Any = plain
    for part in key.split("."):
        section = section[part]
    return section
