"""The recipes that come with the package."""

from __future__ import annotations

import subprocess
import sys

import pytest

from prism.recipe import load_recipe
from prism.recipe.compose import packaged

CLAIMS = {
    "base_fails": ("at_most", 2),
    "rl_from_base_fails": ("at_most", 2),
    "midtraining_lifts": ("at_least", 20),
    "rl_lifts": ("at_least", 8),
    "retention": ("at_least", -3),
    "forgetting_without_general": ("at_most", -15),
    "science_needs_midtraining": ("at_least", 30),
    "mix_matters_in_midtraining": ("above", 0),
    "dense_change": ("at_least", 10),
    "sparse_rl": ("at_least", 15),
    "geometry_kept": ("at_least", 0.98),
    "same_footprint": None,
}


@pytest.mark.parametrize("name", packaged())
def test_every_packaged_recipe_is_valid(name: str) -> None:
    load_recipe(name)


@pytest.mark.parametrize("name", ["miniature", "miniature_hybrid"])
def test_the_miniature_states_each_claim_with_its_threshold(name: str) -> None:
    recipe = load_recipe(name)
    bounds = ("at_least", "at_most", "above", "below")
    stated = {
        key: next(((bound, getattr(claim, bound)) for bound in bounds if getattr(claim, bound) is not None), None)
        for key, claim in recipe.claims.items()
    }
    assert stated == CLAIMS


def test_the_token_budgets_of_the_miniature_are_whole_steps() -> None:
    tokens_per_step = 16 * 64
    miniature, hybrid = load_recipe("miniature"), load_recipe("miniature_hybrid")
    assert miniature.training_config("base").steps == 800_000 // tokens_per_step
    assert miniature.training_config("mid").steps == 900_000 // tokens_per_step
    assert hybrid.training_config("base").steps == 800_000 // tokens_per_step
    assert hybrid.training_config("mid").steps == 600_000 // tokens_per_step


def test_every_blend_with_general_data_gives_it_the_same_share() -> None:
    blends = load_recipe("miniature").data.blends
    assert {blends[name]["general"] for name in ("math_code_science", "math_code", "math")} == {12}
    assert "general" not in blends["no_general"]


def test_every_rl_run_of_the_miniature_draws_the_same_filtered_prompts() -> None:
    recipe = load_recipe("miniature")
    sources = {node.prompts_from for node in recipe.pipeline.values() if node.stage == "rl"}
    assert sources == {"hard"}


def test_the_hybrid_is_the_miniature_but_for_model_noise_budget_and_rl_rate() -> None:
    dense = load_recipe("miniature").model_dump(exclude={"model", "run"})
    hybrid = load_recipe("miniature_hybrid").model_dump(exclude={"model", "run"})
    assert hybrid["data"]["world"].pop("trace_noise") == 0.3
    assert dense["data"]["world"].pop("trace_noise") == 0.25
    assert hybrid["rl"]["optimizer"].pop("learning_rate") == 2e-4
    assert dense["rl"]["optimizer"].pop("learning_rate") == 3e-4
    for recipe, steps in ((dense, 878), (hybrid, 585)):
        assert recipe["midtrain"].pop("steps") == steps
        assert recipe["midtrain"]["schedule"].pop("warmup_steps") == round(steps * 0.05)
    assert hybrid == dense


def test_the_small_real_run_states_its_claims_and_keeps_a_general_share_of_15_percent() -> None:
    recipe = load_recipe("real_small")
    claims = recipe.claims
    assert claims["math_learned"].at_most == -40
    assert claims["general_retained"].at_most == 4
    assert claims["general_forgotten_without_it"].at_least == 15
    assert recipe.data.blends[recipe.training_config("mid").blend]["shakespeare"] == 15
    assert "shakespeare" not in recipe.data.blends[recipe.training_config("mid_no_general").blend]


def test_the_small_real_run_reads_its_data_from_the_folder_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRISM_DATA", "/elsewhere")
    recipe = load_recipe("real_small")
    assert recipe.data.sources["shakespeare"].path.startswith("/elsewhere/")
    assert recipe.data.sources["gsm8k"].path.startswith("/elsewhere/")
    assert recipe.rl.prompts["math"].path.startswith("/elsewhere/")
    monkeypatch.delenv("PRISM_DATA")
    assert load_recipe("real_small").data.sources["gsm8k"].path.startswith("../shared/data/")


def test_the_seed_of_the_run_is_the_seed_of_the_world() -> None:
    recipe = load_recipe("miniature", ["run.seed=3"])
    assert recipe.data.world is not None
    assert recipe.data.world.seed == recipe.run.seed == 3


def test_recipes_are_read_without_torch_numpy_or_datatrove() -> None:
    code = (
        "import sys; from prism.recipe import load_recipe; load_recipe('miniature'); "
        "print([name for name in ('torch', 'numpy', 'datatrove', 'megatron') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
