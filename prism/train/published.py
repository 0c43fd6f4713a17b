"""Published weights as the first stage of a pipeline."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from prism.errors import RecipeError
from prism.formats.files import step_name
from prism.models.convert import hf_to_megatron
from prism.models.family import identify
from prism.prompts.export import export_stage

if TYPE_CHECKING:
    from prism.recipe import ModelConfig, Recipe

_FREE = ("initialisation", "mamba.chunk_size", "max_position_embeddings")
"""How keys begin that may differ: how random weights are drawn, a block size, the longest sequence."""


def run_import(recipe: Recipe, stage: str) -> None:
    """Converts the Hugging Face folder that the stage names into its checkpoint, step 0.

    Raises:
        BadInput: the folder is damaged, or its model is unknown.
        RecipeError: the folder holds another model than the recipe describes.
    """
    source = Path(recipe.import_config(stage).path)
    differing = _differences(recipe.model, identify(source))
    if differing:
        raise RecipeError(
            f"the recipe describes another model: {'; '.join(differing)}",
            place=f"{source}/config.json",
            remedy="extend the fragment of recipes/models that describes this one",
        )
    target = recipe.stage_directory(stage) / "checkpoints"
    shutil.rmtree(target / step_name(0), ignore_errors=True)
    hf_to_megatron(source, target)
    export_stage(recipe, stage)


def _differences(wanted: ModelConfig, found: ModelConfig) -> list[str]:
    """Keys of two models that differ, as `key: recipe's, config.json's`; unset keys count by what they mean."""
    mine, theirs = (_flat(model) for model in (wanted, found))
    return [
        f"{key} is {mine[key]} here, {theirs.get(key)} there"
        for key in mine
        if mine[key] != theirs.get(key) and not key.startswith(_FREE)
    ]


def _flat(model: ModelConfig) -> dict[str, object]:
    head = model.head_dim or model.hidden_size // model.num_attention_heads
    filled = model.model_copy(
        update={
            "head_dim": head,
            "num_query_groups": model.num_query_groups or model.num_attention_heads,
            "attention_multiplier": model.attention_multiplier or head**-0.5,
        }
    )
    flat: dict[str, object] = {}
    for key, value in filled.model_dump().items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": part for inner, part in value.items()}
        else:
            flat[key] = value
    return flat
