"""Recipes whose training stage is NeMo's."""

from __future__ import annotations

from pathlib import Path

from prism.nemo.training.settings import Places
from prism.recipe import Recipe, load_recipe

PLACES = Places(Path("/run/stages/mid/nemo"), [(75.5, "/run/data/sources/a"), (24.5, "/run/data/sources/b")], 128)
MODELS = ("nemotron_h_8b", "llama_3_1_8b", "mistral_7b", "mistral_small_24b")
"""Models of recipes/ that NeMo knows."""
BY_NEMO = ("midtrain.engine=nemo", "midtrain.retention=null")


def recipe(model: str = "llama_3_1_8b", *changes: str) -> Recipe:
    return load_recipe(f"{model}/math", [*BY_NEMO, *changes])
