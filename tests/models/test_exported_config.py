"""transformers builds and initialises a model from the config that an export writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import AutoConfig, AutoModelForCausalLM

from prism.models.family import family_of
from prism.recipe import load_recipe


@pytest.mark.parametrize("name", ["miniature", "miniature_hybrid"])
def test_transformers_initialises_a_model_of_the_miniatures_exported_config(tmp_path: Path, name: str) -> None:
    model = load_recipe(name).model
    (tmp_path / "config.json").write_text(json.dumps(family_of(model).hf_config(model, 95, 0)))
    built = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(tmp_path))
    built.init_weights()
    assert sum(parameter.numel() for parameter in built.parameters()) > 700_000
