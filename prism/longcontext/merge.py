"""Linear merge of two checkpoints: W = w x base + (1 - w) x trained (paper section 8.1, w = 0.15)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from prism.errors import RecipeError
from prism.megatron import checkpoint
from prism.megatron.layout import layout_of
from prism.megatron.parallel import is_first_rank, process_groups
from prism.megatron.trainee import build_frozen
from prism.prompts import PromptContract
from prism.prompts.export import export_stage

if TYPE_CHECKING:
    from prism.recipe import Recipe


def interpolate(base: Sequence[Tensor], trained: Sequence[Tensor], base_weight: float) -> None:
    """trained <- base_weight x base + (1 - base_weight) x trained, in place, tensor by tensor."""
    with torch.no_grad():
        for old, new in zip(base, trained, strict=True):
            new.lerp_(old.to(new.dtype), base_weight)


def run_merge(recipe: Recipe, stage: str) -> None:
    """Merges the stage's parent with the base and saves the result as the stage's checkpoint, step 0.

    Raises:
        RecipeError: neither `base` is set nor has the parent a parent.
        BadInput: a checkpoint is missing or damaged.
    """
    config = recipe.merge_config(stage)
    parent = recipe.parent_of(stage)
    base = config.base or recipe.pipeline[parent].parent
    if base is None:
        raise RecipeError(
            f"stage {parent} has no base to merge with", place=f"pipeline.{stage}.with.base", remedy="name a stage"
        )
    folder = recipe.stage_directory(stage)
    layout = layout_of(recipe.cluster_config(stage))
    with process_groups(layout, recipe.run.seed):
        contract = PromptContract.load(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
        models = []
        for name in (base, parent):
            model = build_frozen(recipe.model, contract.vocab_size, layout)
            checkpoint.load(checkpoint.require_latest(recipe.stage_directory(name) / "checkpoints"), model)
            models.append(model)
        weights = [[parameter.data for parameter in model.parameters()] for model in models]
        interpolate(weights[0], weights[1], config.base_weight)
        checkpoint.save(folder / "checkpoints", 0, models[1], None, {"merged": [base, parent]})
        first = is_first_rank()
    if first:
        export_stage(recipe, stage)
