"""The packaged sweeps: every member is valid, and they vary what the paper's tables vary."""

from __future__ import annotations

import pytest

from prism.errors import RecipeError
from prism.recipe.sweeps import load_sweep, packaged_sweeps
from prism.sweep.members import Sweep, expand
from prism.sweep.plan import plan
from prism.sweep.results import place_of_member
from tests.test_recipes import PAPER, PARAMETERS


def packaged(name: str, recipe: str | None = None) -> Sweep:
    return expand(load_sweep(name), recipe=recipe)


@pytest.mark.parametrize("name", packaged_sweeps())
def test_every_packaged_sweep_can_be_planned_and_shares_the_data(name: str) -> None:
    sweep = packaged(name)
    planned = plan(sweep)
    assert [place_of_member(sweep, one.run) for one in planned]
    seeds = max(1, len(sweep.file.config.seeds))  # a world each
    assert sum("data" not in one.taken for one in planned) == seeds
    compared = "rl" if name == "miniature_rl_terms" else "mid"
    assert sum(compared in one.nodes and compared not in one.taken for one in planned) == seeds * len(sweep.members())


@pytest.mark.parametrize("model", PARAMETERS)
def test_token_budgets_can_be_planned_for_every_model_of_the_paper(model: str) -> None:
    assert f"{model}/math_code_science" in PAPER
    planned = plan(packaged("token_budget", f"{model}/math_code_science"))
    assert all({"data", "base"} <= set(one.taken) for one in planned[1:])


@pytest.mark.parametrize("model", ["llama_3_1_8b", "granite_4_h_micro"])
def test_context_lengths_can_be_planned_for_the_models_that_reach_them(model: str) -> None:
    planned = plan(packaged("context_length", f"{model}/math_code_science"))
    assert all({"data", "base"} <= set(one.taken) for one in planned[1:])


def test_a_context_length_beyond_the_models_is_told_with_its_member() -> None:
    with pytest.raises(RecipeError, match=r"member 32k: .*32768 is beyond model.max_position_embeddings 8192"):
        packaged("context_length", "nemotron_h_8b/math_code_science")


def test_token_budgets_are_those_of_table_9() -> None:
    billions = [run.recipe.training_config("mid").tokens / 1e9 for run in packaged("token_budget").runs]
    assert billions == pytest.approx([10.49, 15.73, 26.21, 31.46], abs=0.01)
    small = [run.recipe.training_config("mid").tokens for run in packaged("miniature_token_budget").runs]
    assert [tokens / small[2] for tokens in small] == pytest.approx([0.4, 0.6, 1.0, 1.2], abs=0.001)


@pytest.mark.parametrize("name", ["context_length", "miniature_context_length"])
def test_context_lengths_are_compared_at_equal_tokens_and_steps(name: str) -> None:
    configs = [run.recipe.training_config("mid") for run in packaged(name).runs]
    first = configs[0].sequence_length
    assert [config.sequence_length // first for config in configs] == [1, 2, 4]
    assert len({(config.tokens, config.steps) for config in configs}) == 1


def test_the_miniatures_base_models_are_points_of_one_pre_training() -> None:
    recipes = [run.recipe for run in packaged("miniature_when").runs]
    bases = [recipe.training_config("base") for recipe in recipes]
    assert {base.schedule.kind for base in bases} == {"constant"}
    assert len({base.model_dump_json(exclude={"steps"}) for base in bases}) == 1
    assert len({recipe.training_config("mid").model_dump_json() for recipe in recipes}) == 1
