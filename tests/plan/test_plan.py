"""The command: what it shows, what it refuses, and that its remedy fits."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from prism.cli import main
from prism.megatron.backend import install
from prism.megatron.census import layer_kinds
from prism.megatron.true_size import check_size
from prism.plan.memory import census_of, ranks, training_work
from prism.plan.search import search
from prism.recipe import load_recipe


def prism_plan(*arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as left:
        patch.setattr("sys.argv", ["prism", "plan", *arguments])
        main()
    return left.value.code if isinstance(left.value.code, int) else 0


@pytest.mark.parametrize("layout", [{"tensor_parallel": 4, "pipeline_parallel": 2}, {"tensor_parallel": 2}])
@pytest.mark.parametrize("name", ["llama_3_1_8b/math", "nemotron_h_8b/math", "granite_4_h_micro/math"])
def test_parameters_of_each_rank_are_those_of_the_whole_model_built_there(name: str, layout: dict[str, int]) -> None:
    install()
    recipe = load_recipe(name, [f"pipeline.mid.cluster.{key}={value}" for key, value in layout.items()])
    cluster = recipe.cluster_config("mid")
    assert recipe.model.vocab_size is not None
    built = check_size(recipe.model, cluster, cluster.processes)
    work = training_work(recipe.model, recipe.model.vocab_size, cluster, recipe.training_config("mid"))
    assert [rank.parameters for rank in ranks(work)] == [stage.parameters for stage in built.stages]
    assert census_of(work).model_parameters == built.parameters
    assert sum(rank.layers for rank in ranks(work)) == len(layer_kinds(recipe.model))


def test_a_plan_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert prism_plan("miniature", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    stage = found["stages"]["mid"]
    assert stage["fits"] and stage["step_s"] > 0 and stage["device_hours"] > 0
    assert stage["ranks"][0]["total_bytes"] == pytest.approx(sum(stage["ranks"][0]["bytes"].values()))
    assert found["files"]


def test_what_doesn_t_fit_is_refused_with_a_layout_that_fits(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["nemotron_h_8b/math", "--stage", "mid", "--set", "cluster.device_memory_gib=30"]
    assert prism_plan(*arguments) == 3
    said = " ".join(capsys.readouterr().err.split())
    assert "more than the 30 GiB of a h100_sxm" in said
    remedy = re.search(r"(--set .*)$", said)
    assert remedy is not None
    assert prism_plan(*arguments, *shlex.split(remedy[1].rstrip("."))) == 0


def test_sampling_before_rl_is_planned_and_refused_with_slots_that_fit(capsys: pytest.CaptureFixture[str]) -> None:
    slots = "pipeline.hard.with.generator.slots"
    arguments = ["llama_3_1_8b/math", "--stage", "hard", "--json", "--set"]
    assert prism_plan(*arguments, f"{slots}=64") == 0
    found = json.loads(capsys.readouterr().out)["samplings"]["hard"]
    # A token: 32 layers x 2 x 2 groups of the GPU x 128 x 2 bytes = 32 KiB; 16,384 of them 0.5 GiB.
    assert found["bytes"]["caches"] == 64 * 2**29
    assert (found["prompts"], found["seconds"]) == (None, None)
    assert prism_plan(*arguments, f"{slots}=256") == 3
    assert f"{slots} to 128" in " ".join(capsys.readouterr().err.split())


def test_sampling_of_bounded_prompt_sets_has_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    bounds = "rl.difficulty.prompts_per_domain={math: 1000, code: 500, science: 500}"
    assert prism_plan("llama_3_1_8b/math", "--stage", "hard", "--json", "--set", bounds) == 0
    found = json.loads(capsys.readouterr().out)["samplings"]["hard"]
    assert found["prompts"] == 2_000
    assert found["seconds"] == pytest.approx(2 * found["a_thousand_prompts_s"])


def test_a_search_proposes_layouts_that_fit_fastest_first() -> None:
    install()
    keys = ["pipeline.mid.cluster={processes: 2, tensor_parallel: 2}", "model.vocab_size=96"]
    found = search(load_recipe("miniature", keys), "mid", 96)
    times = [one.plan.step_s for one in found]
    assert found and times == sorted(times)
    assert all(one.plan.fits for one in found)
    for one in found:
        applied = load_recipe("miniature", [*keys, *one.overrides("mid").replace("--set ", "").split()])
        assert applied.cluster_config("mid") == one.plan.cluster


def test_an_unknown_stage_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert prism_plan("miniature", "--stage", "middle") == 2
    assert "there is no stage middle" in capsys.readouterr().err
