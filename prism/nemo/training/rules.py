"""What NeMo can't do of a training stage: keys that are refused, keys that are passed over, keys that others read.

A key of the recipe that stands neither here nor beside a setting fails tests/nemo/training/test_rules.py.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prism.errors import RecipeError
from prism.nemo.training.known_models import OWN_ENGINE, nemo_model
from prism.recipe.load import RecipeErrors

if TYPE_CHECKING:
    from prism.recipe import ClusterConfig, MidtrainConfig, Recipe
    from prism.recipe.schema.operation import OperationConfig


@dataclass(frozen=True)
class Stage:
    """A stage's settings, its `with` and `cluster` applied."""

    recipe: Recipe
    name: str
    training: MidtrainConfig
    cluster: ClusterConfig

    @property
    def operation(self) -> OperationConfig:
        return self.recipe.run.operation

    @property
    def nodes(self) -> int:
        return -(-self.cluster.processes // self.cluster.devices_per_node)

    @property
    def devices(self) -> int:
        """Of each node."""
        return self.cluster.processes // self.nodes


@dataclass(frozen=True)
class Rule:
    """`fits` says whether the stage asks for what NeMo does; `reason`, what NeMo does or lacks."""

    fits: Callable[[Stage], bool]
    reason: str
    remedy: str = OWN_ENGINE


def _model(key: str, *values: Any) -> Callable[[Stage], bool]:
    return lambda stage: getattr(stage.recipe.model, key) in values


REFUSED: Mapping[str, Rule] = {
    "midtrain.retention": Rule(
        lambda stage: stage.training.retention is None,
        "NeMo's loop knows no retention gate",
        f"set it to null, or {OWN_ENGINE}",
    ),
    "midtrain.blend_changes": Rule(
        lambda stage: not stage.training.blend_changes, "NeMo's data module has one blend a run"
    ),
    "midtrain.packing": Rule(
        lambda stage: stage.training.packing == "concatenate",
        "NeMo's GPTDataset lays documents end to end",
        f"set it to concatenate, or {OWN_ENGINE}",
    ),
    "midtrain.pack_overlap_tokens": Rule(lambda stage: stage.training.pack_overlap_tokens == 0, "it packs nothing"),
    "midtrain.min_document_tokens": Rule(lambda stage: stage.training.min_document_tokens == 0, "it packs nothing"),
    "midtrain.attention_across_documents": Rule(
        lambda stage: stage.training.attention_across_documents is not False,
        "its masks between documents don't go with flash attention",
    ),
    "midtrain.schedule.kind": Rule(
        lambda stage: stage.training.schedule.kind != "exponential", "NeMo has no exponential decay"
    ),
    "midtrain.trainable": Rule(lambda stage: stage.training.trainable == "all", "the recipe trains every weight"),
    "model.activation": Rule(
        lambda stage: stage.recipe.model.activation == nemo_model(stage.recipe.model).activation,
        "the configuration class of NeMo's model has another",
    ),
    "model.embedding_multiplier": Rule(_model("embedding_multiplier", 1.0), "NeMo's models have none"),
    "model.residual_multiplier": Rule(_model("residual_multiplier", 1.0), "NeMo's models have none"),
    "model.attention_multiplier": Rule(_model("attention_multiplier", None), "NeMo scales by the head's width"),
    "model.logits_scaling": Rule(_model("logits_scaling", 1.0), "NeMo's models have none"),
    "model.mamba.conv_kernel": Rule(
        lambda stage: stage.recipe.model.mamba is None or stage.recipe.model.mamba.conv_kernel == 4,
        "megatron-core's mixer sees four positions",
    ),
    "model.rope_scaling": Rule(
        lambda stage: stage.recipe.model.rope_scaling is None or stage.recipe.model.family == "llama",
        "its LLaMA 3.1 alone stretches RoPE",
    ),
    "model.rope_base": Rule(
        lambda stage: stage.recipe.model.rope_base is not None or stage.recipe.model.hybrid_pattern is not None,
        "its dense models have a position embedding",
    ),
    "model.sliding_window": Rule(
        lambda stage: stage.recipe.model.sliding_window is None or stage.recipe.model.hybrid_pattern is None,
        "its hybrids see all positions",
    ),
    "cluster.virtual_pipeline": Rule(
        lambda stage: stage.cluster.virtual_pipeline == 1 or stage.recipe.model.hybrid_pattern is None,
        "NeMo doesn't interleave hybrid models",
        "set it to 1",
    ),
    "cluster.devices_per_node": Rule(
        lambda stage: stage.cluster.processes == stage.nodes * stage.devices,
        "nodes of a NeMo job have as many devices each",
        "take whole nodes: cluster.processes a multiple of it",
    ),
    "pipeline.*.from": Rule(
        lambda stage: stage.recipe.pipeline[stage.name].parent is not None,
        "NeMo would draw other first weights than model.initialisation asks for",
        f"start from a stage, or {OWN_ENGINE}",
    ),
}
"""By key: what a stage has to ask for; anything else is refused."""

NOT_HONOURED: Mapping[str, Rule] = {
    "midtrain.validation.every_steps": Rule(
        lambda stage: stage.training.validation.every_steps is None,
        "no validation: held-out documents aren't indexed for NeMo",
    ),
    "midtrain.checkpoint.keep_every": Rule(
        lambda stage: stage.training.checkpoint.keep_every is None, "the newest checkpoints alone are kept"
    ),
    "sample_order": Rule(
        lambda stage: False, "NeMo's GPTDataset shuffles by its own rule from the same seed and weights"
    ),
    "cluster.loss_chunk_tokens": Rule(
        lambda stage: stage.cluster.loss_chunk_tokens is None, "a micro batch's logits are in memory as a whole"
    ),
    "run.operation.spike_deviations": Rule(lambda stage: False, "loss spikes aren't looked for"),
    "run.operation.max_invalid_steps": Rule(
        lambda stage: False, "a gradient that isn't finite ends the run at once (check_for_nan_in_grad)"
    ),
    "run.operation.straggler_every_steps": Rule(
        lambda stage: stage.operation.straggler_every_steps is None, "ranks aren't compared"
    ),
    "run.operation.hang_minutes": Rule(
        lambda stage: stage.operation.hang_minutes is None, "NCCL's own time-out ends a run that hangs"
    ),
    "run.operation.trackers": Rule(lambda stage: not stage.operation.trackers, "metrics.jsonl and TensorBoard alone"),
    "run.operation.profile": Rule(lambda stage: stage.operation.profile is None, "no step is recorded"),
}
"""By key: what NeMo passes over without another result of the training; `midtrain.nemo.require` refuses it."""

ELSEWHERE: Mapping[str, str] = {
    "midtrain.engine": "decides that NeMo runs",
    "midtrain.nemo": "where NeMo runs",
    "midtrain.validation.tokens": "with validation.every_steps",
    "model.family": "chooses NeMo's recipe",
    "model.max_position_embeddings": "bounds sequence_length; no weight depends on it",
    "model.mamba.chunk_size": "a block size, without effect on the mathematics",
    "model.initialisation": "weights come from the stage that this one starts from",
    "cluster.device": "prism plan",
    "cluster.device_memory_gib": "prism plan",
    "cluster.slurm": "prism launch",
    "kernels": "this package's own kernels; NeMo takes Transformer Engine and mamba-ssm",
    "run.name": "the run's folder",
    "run.directory": "the run's folder",
    "run.workers": "prism run",
    "run.threads": "prism run",
    "run.operation.spike_window": "with spike_deviations",
    "run.operation.straggler_factor": "with straggler_every_steps",
    "data.world": "data preparation",
    "data.root": "data preparation",
    "data.sources": "data preparation",
    "data.max_epochs": "data preparation",
    "data.decontamination": "data preparation",
    "data.tokenizer.kind": "data preparation: NeMo reads the run's tokenizer.json",
    "data.tokenizer.path": "data preparation",
    "data.tokenizer.vocab_size": "data preparation",
    "data.tokenizer.train_on": "data preparation",
}
"""By key, those below it included: who reads it."""


def stage_of(recipe: Recipe, name: str) -> Stage:
    return Stage(recipe, name, recipe.training_config(name), recipe.cluster_config(name))


def check(stage: Stage) -> list[tuple[str, Rule]]:
    """What NeMo passes over of the stage, by key.

    Raises:
        RecipeErrors: one for every key that NeMo can't do as the recipe says.
    """
    nemo_model(stage.recipe.model)
    errors = [
        RecipeError(f"NeMo can't: {rule.reason}", place=_place(key, stage), remedy=rule.remedy)
        for key, rule in REFUSED.items()
        if not rule.fits(stage)
    ]
    missed = [(key, rule) for key, rule in NOT_HONOURED.items() if not rule.fits(stage)]
    errors += _required(stage, missed)
    if errors:
        raise RecipeErrors(errors)
    return missed


def _place(key: str, stage: Stage) -> str:
    return key.replace("*", stage.name)


def _required(stage: Stage, missed: list[tuple[str, Rule]]) -> list[RecipeError]:
    """Keys under `midtrain.nemo.require` that NeMo passes over, and those that it can't mean."""
    place = "midtrain.nemo.require"
    errors = []
    for key in stage.training.nemo.require:
        if key not in NOT_HONOURED:
            near = difflib.get_close_matches(key, NOT_HONOURED, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"known: {', '.join(NOT_HONOURED)}"
            errors.append(RecipeError(f"{key} is no key that NeMo may pass over", place=place, remedy=remedy))
    for key, rule in missed:
        if key in stage.training.nemo.require:
            remedy = f"take it off the list, or {rule.remedy}"
            errors.append(RecipeError(f"NeMo passes over {key}: {rule.reason}", place=place, remedy=remedy))
    return errors
