"""NeMo's recipe objects have what the recipe says, under NeMo's own names."""

from __future__ import annotations

from typing import Any

import pytest

from tests.nemo.training.made import MODELS

VARIANTS = ("as it is", "another layout", "constant in fp32")
CONFIGS = {
    "nemotron_h_8b": "NemotronHConfig8B",
    "llama_3_1_8b": "Llama31Config8B",
    "mistral_7b": "MistralConfig7B",
    "mistral_small_24b": "MistralSmall3Config24B",
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("model", MODELS)
def test_every_mapped_field_is_on_the_recipe(model: str, variant: str, recipes: dict[str, dict[str, Any]]) -> None:
    found = recipes[f"{model}, {variant}"]
    assert found["config"] == CONFIGS[model]
    assert found["settings"] > 70
    assert found["unequal"] == []


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("model", MODELS)
def test_what_nemo_makes_of_it_has_them_too(model: str, variant: str, recipes: dict[str, dict[str, Any]]) -> None:
    assert recipes[f"{model}, {variant}"]["unequal when built"] == []


@pytest.mark.parametrize("model", MODELS)
def test_a_recipe_reads_back_equal(model: str, recipes: dict[str, dict[str, Any]]) -> None:
    for variant in VARIANTS:
        found = recipes[f"{model}, {variant}"]
        assert found["round trip"] and found["yaml"] > 1_000


@pytest.mark.parametrize("model", MODELS)
def test_the_printed_program_builds_the_same_recipe(model: str, recipes: dict[str, dict[str, Any]]) -> None:
    assert all(recipes[f"{model}, {variant}"]["program"] for variant in VARIANTS)
