"""The recipe as an object: settings of each stage, paths, and defaults that are the paper's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from prism.errors import RecipeError
from prism.recipe import MergeConfig, MidtrainConfig, Recipe, RlConfig, load_recipe


@pytest.fixture(scope="module")
def miniature() -> Recipe:
    return load_recipe("miniature")


def test_a_stage_has_its_section_with_its_own_settings_laid_over(miniature: Recipe) -> None:
    base, mid = miniature.training_config("base"), miniature.training_config("mid")
    assert (base.blend, base.steps, base.optimizer.learning_rate, base.schedule.warmup_steps) == ("base", 781, 3e-3, 39)
    assert (mid.blend, mid.steps, mid.optimizer.learning_rate) == ("math_code_science", 878, 2e-3)
    assert base.optimizer.beta2 == mid.optimizer.beta2 == 0.95


def test_each_kind_of_stage_reads_its_own_section() -> None:
    recipe = load_recipe("miniature", ["pipeline.merged={stage: merge, from: mid, with: {base_weight: 0.3}}"])
    assert isinstance(recipe.stage_config("mid"), MidtrainConfig)
    assert isinstance(recipe.stage_config("rl"), RlConfig)
    assert isinstance(recipe.stage_config("hard"), RlConfig)
    merge = recipe.stage_config("merged")
    assert isinstance(merge, MergeConfig)
    assert merge.base_weight == 0.3


def test_an_extend_stage_reads_its_own_section_where_there_is_one() -> None:
    stage = "pipeline.long={stage: extend, from: mid}"
    assert load_recipe("miniature", [stage]).training_config("long").sequence_length == 64
    own = "long_context.extend={blend: math, sequence_length: 128, global_batch_size: 16}"
    assert load_recipe("miniature", [stage, own]).training_config("long").sequence_length == 128


def test_a_prompt_mix_of_a_stage_replaces_the_whole_mix(miniature: Recipe) -> None:
    assert miniature.rl_config("rl").mix == {"math": 50, "code": 25, "science": 25}
    assert miniature.rl_config("rl_on_math").mix == {"math": 100}


def test_a_stage_without_parent_says_so(miniature: Recipe) -> None:
    assert miniature.parent_of("mid") == "base"
    with pytest.raises(RecipeError, match=r"pipeline\.base\.from: stage base starts from no other stage"):
        miniature.parent_of("base")


def test_stages_that_leave_a_checkpoint_keep_the_order_of_the_recipe(miniature: Recipe) -> None:
    expected = [name for name in miniature.pipeline if name != "hard"]
    assert miniature.checkpoint_stages() == expected


def test_paths_lie_in_the_run_directory_and_others_are_as_written(miniature: Recipe) -> None:
    assert miniature.run_directory == Path("runs/miniature")
    assert miniature.stage_directory("mid") == Path("runs/miniature/stages/mid")
    assert miniature.resolve("world/general.jsonl") == Path("runs/miniature/data/world/general.jsonl")
    assert miniature.resolve("../shared/data/a.jsonl") == Path("../shared/data/a.jsonl")


def test_midtraining_defaults_are_those_of_table_16() -> None:
    config = MidtrainConfig()
    assert (config.steps, config.sequence_length, config.micro_batch_size, config.global_batch_size) == (
        25_000,
        8_192,
        1,
        128,
    )
    assert config.tokens == pytest.approx(26.2e9, rel=1e-3)
    optimizer, schedule = config.optimizer, config.schedule
    assert (optimizer.learning_rate, optimizer.weight_decay, optimizer.epsilon) == (5e-5, 0.1, 1e-10)
    assert (optimizer.beta1, optimizer.beta2) == (0.9, 0.95)
    assert (schedule.kind, schedule.warmup_steps, schedule.final_fraction) == ("cosine", 500, 0.1)
    assert config.precision == "bf16"


def test_rl_defaults_are_those_of_tables_10_and_21() -> None:
    config = RlConfig()
    assert (config.steps, config.prompts_per_step, config.responses_per_prompt) == (1_000, 64, 16)
    assert (config.max_response_tokens, config.optimizer.learning_rate) == (16_384, 5e-7)
    assert (config.kl_coefficient, config.importance_cap) == (0.05, 2.0)
    assert (config.temperature, config.top_p) == (1.0, 1.0)
    assert (config.schedule.kind, config.schedule.final_fraction) == ("linear", 0.0)
    assert config.difficulty.samples == 16


def test_the_merge_default_is_that_of_section_8_1() -> None:
    assert MergeConfig().base_weight == 0.15


def _undescribed(schema: dict[str, object]) -> Iterator[str]:
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    for name, definition in [("Recipe", schema), *definitions.items()]:
        for key, field in definition.get("properties", {}).items():
            if not field.get("description"):
                yield f"{name}.{key}"


def test_every_key_of_the_schema_is_described_and_none_is_left_open() -> None:
    schema = Recipe.model_json_schema(by_alias=True)
    assert list(_undescribed(schema)) == []
    assert all(definition["additionalProperties"] is False for definition in [schema, *schema["$defs"].values()])


def test_a_stage_is_written_with_from_and_with_in_the_schema() -> None:
    properties = Recipe.model_json_schema(by_alias=True)["$defs"]["StageNode"]["properties"]
    assert {"from", "with", "prompts_from", "stage"} <= set(properties)
