"""Writes a stage's checkpoint as a Hugging Face folder: config.json and safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prism.models.convert import export
from prism.models.family import family_of

if TYPE_CHECKING:
    from prism.megatron.checkpoint import Checkpoint
    from prism.recipe import ModelConfig


def export_weights(
    checkpoint: Checkpoint, model: ModelConfig, vocab_size: int, end_of_document_id: int, directory: Path
) -> None:
    """Writes the folder anew; it has its name only when it is whole.

    Raises:
        BadInput: the checkpoint holds another model.
    """
    config = family_of(model).hf_config(model, vocab_size, end_of_document_id)
    export(checkpoint.path, directory, model, vocab_size, config)
