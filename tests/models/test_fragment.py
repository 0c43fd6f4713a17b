"""A Hugging Face folder as a recipe fragment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from prism.errors import BadInput
from prism.models.family import identify
from prism.models.fragment import recipe_fragment
from prism.recipe import load_recipe
from tests.models.tiny import TINY


def folder_of(tmp_path: Path, model: str, **config: object) -> Path:
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**TINY[model], **config}))
    added = [{"id": 2, "content": "<end>", "special": True}]
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": added, "model": {"vocab": {}}}))
    return folder


@pytest.mark.parametrize("model", TINY)
def test_a_recipe_of_the_fragment_has_the_model_of_the_folder(tmp_path: Path, model: str) -> None:
    folder = folder_of(tmp_path, model)
    fragment = tmp_path / "mine.yaml"
    fragment.write_text(f"schema_version: 2\n{recipe_fragment(folder)}")
    recipe = load_recipe(fragment)
    assert recipe.model == identify(folder)
    assert recipe.data.tokenizer.end_of_document == "<end>"
    assert recipe.import_config("base").path == str(folder)


def test_the_first_of_several_end_tokens_ends_a_document(tmp_path: Path) -> None:
    fragment = yaml.safe_load(recipe_fragment(folder_of(tmp_path, "llama_3_1_8b", eos_token_id=[2, 5])))
    assert fragment["data"]["tokenizer"]["end_of_document"] == "<end>"


def test_the_tokenizers_own_end_token_serves_where_config_names_none(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "llama_3_1_8b", eos_token_id=None)
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": "</s>"}}))
    assert "</s>" in recipe_fragment(folder)


def test_a_model_without_an_end_token_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no token ends a text"):
        recipe_fragment(folder_of(tmp_path, "llama_3_1_8b", eos_token_id=77))


def test_a_feature_that_the_family_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="attention_bias"):
        recipe_fragment(folder_of(tmp_path, "llama_3_1_8b", attention_bias=True))
