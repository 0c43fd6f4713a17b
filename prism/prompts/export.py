"""A checkpoint as a complete Hugging Face folder: weights, tokenizer, chat template, generation config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prism.megatron.checkpoint import Checkpoint, require_latest
from prism.models.export import export_weights
from prism.prompts.contract import PromptContract

if TYPE_CHECKING:
    from prism.recipe import Recipe


def export_checkpoint(recipe: Recipe, source: Checkpoint, directory: Path) -> None:
    """Writes `source` for transformers and vLLM. Call it in one process, outside of process groups.

    Raises:
        BadInput: the checkpoint isn't of the recipe's model.
    """
    contract = PromptContract.load(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
    export_weights(
        source, recipe.model, recipe.vocabulary_rows(contract.vocab_size), contract.end_of_document_id, directory
    )
    contract.export(directory)


def export_stage(recipe: Recipe, stage: str) -> None:
    """Writes the stage's newest checkpoint to its hf/ folder."""
    folder = recipe.stage_directory(stage)
    export_checkpoint(recipe, require_latest(folder / "checkpoints"), folder / "hf")
