"""Writes a checkpoint as a Hugging Face folder: config.json, safetensors, tokenizer, generation config."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import save_file
from torch import Tensor

from data_prep.files import sync_directory, write_json
from prism.errors import BadInput, RecipeError
from prism.megatron.checkpoint import Checkpoint, whole_weights
from prism.models.llama import config as llama_config
from prism.models.llama import weights as llama_weights
from prism.models.nemotron_h import config as nemotron_h_config
from prism.models.nemotron_h import weights as nemotron_h_weights

if TYPE_CHECKING:
    from prism.recipe import ModelConfig


@dataclass(frozen=True)
class Family:
    """What a family has to say about its Hugging Face form."""

    hf_config: Callable[[ModelConfig, int, int], dict[str, Any]]
    to_hf: Callable[[str, Tensor, ModelConfig], Iterator[tuple[str, Tensor]]]


FAMILIES = {
    "llama": Family(llama_config.hf_config, llama_weights.to_hf),
    "nemotron_h": Family(nemotron_h_config.hf_config, nemotron_h_weights.to_hf),
}


def hf_tensors(checkpoint: Checkpoint, model: ModelConfig, vocab_size: int) -> Iterator[tuple[str, Tensor]]:
    """The checkpoint's weights under Hugging Face names; vocabulary padding is cut off.

    Raises:
        BadInput: the checkpoint holds a weight that the family doesn't have.
    """
    family = family_of(model)
    for name, tensor in whole_weights(checkpoint):
        if name in ("embedding.word_embeddings.weight", "output_layer.weight"):
            tensor = tensor[:vocab_size]
        try:
            yield from family.to_hf(name, tensor, model)
        except KeyError:
            raise BadInput(
                f"family {model.family} has no weight like {name}",
                place=str(checkpoint.path),
                remedy="check model.family in the recipe",
            ) from None


def family_of(model: ModelConfig) -> Family:
    """Raises RecipeError when the family is unknown."""
    try:
        return FAMILIES[model.family]
    except KeyError:
        raise RecipeError(
            f"unknown model family {model.family!r}", place="model.family", remedy=f"use one of {', '.join(FAMILIES)}"
        ) from None


def export_weights(
    checkpoint: Checkpoint, model: ModelConfig, vocab_size: int, end_of_document_id: int, directory: Path
) -> None:
    """Writes config.json and model.safetensors (temporary name, synced, renamed)."""
    directory.mkdir(parents=True, exist_ok=True)
    config = family_of(model).hf_config(model, vocab_size, end_of_document_id)
    tensors = {name: tensor.contiguous() for name, tensor in hf_tensors(checkpoint, model, vocab_size)}
    dtype = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
    write_json(directory / "config.json", {**config, "dtype": dtype})
    temporary = directory / ".model.safetensors.tmp"
    save_file(tensors, temporary, metadata={"format": "pt"})
    with temporary.open("rb") as handle:
        os.fsync(handle.fileno())
    temporary.rename(directory / "model.safetensors")
    sync_directory(directory)
