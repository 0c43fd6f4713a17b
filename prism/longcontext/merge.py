"""The merge stage of a recipe: the parent's checkpoint mixed with the base's (paper section 8.1, w = 0.15)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from prism.errors import BadInput, RecipeError
from prism.formats.torch_dist_rows import TorchDistRows
from prism.longcontext.mix import Mixture, block_rows
from prism.megatron.checkpoint import require_latest
from prism.models.convert import write_step
from prism.models.weights import Weight
from prism.prompts import PromptContract
from prism.prompts.export import export_stage

if TYPE_CHECKING:
    from prism.recipe import Recipe


@dataclass(frozen=True)
class Merged:
    """Weights between those of two checkpoints, in the second's types, as a checkpoint's writer asks for them."""

    base: TorchDistRows
    trained: TorchDistRows
    base_weight: float

    @cached_property
    def _mixture(self) -> Mixture:
        return Mixture(self.base, self.trained, self.base_weight)

    def dtype(self, weight: Weight) -> torch.dtype:
        return self.trained.dtype(weight.name)

    def blocks(self, weight: Weight) -> Sequence[int]:
        step = block_rows(weight.shape, self.dtype(weight))
        return [min(step, weight.shape[0] - first) for first in range(0, weight.shape[0], step)]

    def rows(self, weight: Weight, first: int, end: int) -> Tensor:
        """Raises BadInput when the two hold different models."""
        for checkpoint in (self.base, self.trained):
            found = checkpoint.shape(weight.name) if weight.name in checkpoint else ()
            if weight.vocabulary and found[:1] >= weight.shape[:1]:
                found = (weight.shape[0], *found[1:])  # padded
            if found != weight.shape:
                raise BadInput(
                    f"{weight.name} isn't there, or has another shape",
                    place=str(checkpoint.path),
                    remedy="merge two checkpoints of one model",
                )
        mixed = torch.empty(end - first, *weight.shape[1:], dtype=self.dtype(weight))
        self._mixture.read_into(weight.name, first, mixed)
        return mixed


def run_merge(recipe: Recipe, stage: str) -> None:
    """Merges the stage's parent with the base and saves the result as the stage's checkpoint, step 0.

    One process does it, in blocks of rows: no more than a few of them are in memory.

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
    contract = PromptContract.load(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
    old, new = (
        TorchDistRows(require_latest(recipe.stage_directory(name) / "checkpoints").path) for name in (base, parent)
    )
    merged = Merged(old, new, config.base_weight)
    folder = recipe.stage_directory(stage) / "checkpoints"
    write_step(folder, merged, recipe.model, recipe.vocabulary_rows(contract.vocab_size), {"merged": [base, parent]})
    export_stage(recipe, stage)
