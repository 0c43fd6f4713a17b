"""Sections that must agree with each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from prism.recipe import RecipeErrors, load_recipe
from prism.recipe.checks import missing_files

Write = Callable[..., Path]


def refused(*overrides: str, recipe: str | Path = "miniature") -> str:
    with pytest.raises(RecipeErrors) as caught:
        load_recipe(recipe, overrides)
    return str(caught.value)


def accepted(*overrides: str, recipe: str = "miniature") -> None:
    load_recipe(recipe, overrides)


def test_a_blend_of_a_source_that_does_not_exist_names_the_nearest() -> None:
    error = refused("data.blends.extra={generl: 100}")
    assert "data.blends.extra.generl: unknown source generl. Remedy: did you mean general?" in error


def test_a_weight_of_zero_or_less_is_refused() -> None:
    assert "weight 0 isn't above 0" in refused("data.blends.extra={general: 100, song: 0}")
    assert "weight -10 isn't above 0" in refused("data.blends.extra={general: 110, song: -10}")


def test_thirds_of_a_hundred_sum_to_a_hundred() -> None:
    accepted("data.blends.extra={general: 33.3333333, song: 33.3333333, math: 33.3333334}")


def test_a_tokenizer_trained_on_an_unknown_source_is_refused() -> None:
    assert "unknown source generl. Remedy: did you mean general?" in refused("data.tokenizer.train_on=[generl]")


def test_a_blend_that_does_not_exist_is_refused_with_the_nearest() -> None:
    error = refused("pipeline.mid.with={blend: math_cod}")
    assert "pipeline.mid.with.blend: unknown blend math_cod. Remedy: did you mean math_code?" in error


def test_key_value_heads_must_divide_query_heads() -> None:
    assert "3 key-value heads don't divide 4 query heads" in refused("model.num_query_groups=3")


def test_heads_must_divide_the_width_unless_their_width_is_given() -> None:
    assert "6 heads don't divide hidden_size 128" in refused("model.num_attention_heads=6")
    accepted("model.num_attention_heads=6", "model.head_dim=32")


@pytest.mark.parametrize("size", [1, 2, 4])
def test_tensor_parallel_may_be_any_divisor_of_the_heads(size: int) -> None:
    accepted(f"cluster.tensor_parallel={size}", f"cluster.processes={size}")


def test_tensor_parallel_must_divide_key_value_heads_too() -> None:
    overrides = ["model.num_query_groups=2", "cluster.tensor_parallel=4", "cluster.processes=4"]
    assert "tensor_parallel 4 doesn't divide 2 key-value heads. Remedy: nearest that does: 2" in refused(*overrides)


def test_tensor_parallel_must_divide_the_mamba_heads_of_a_hybrid() -> None:
    overrides = ["model.mamba.head_dim=128", "cluster.tensor_parallel=4", "cluster.processes=4"]
    error = refused(*overrides, recipe="miniature_hybrid")
    assert "tensor_parallel 4 doesn't divide 2 Mamba heads. Remedy: nearest that does: 2" in error


def test_tensor_parallel_must_divide_the_mamba_groups_unless_there_is_but_one() -> None:
    overrides = ["cluster.tensor_parallel=4", "cluster.processes=4"]
    accepted(*overrides, recipe="miniature_hybrid")
    error = refused(*overrides, "model.mamba.num_groups=2", recipe="miniature_hybrid")
    assert "tensor_parallel 4 doesn't divide 2 Mamba groups. Remedy: nearest that does: 2" in error


def test_pipeline_parallel_must_divide_the_layers() -> None:
    error = refused("cluster.pipeline_parallel=3", "cluster.processes=3")
    assert "pipeline_parallel 3 doesn't divide 4 layers. Remedy: nearest that does: 2" in error


def test_processes_must_fill_the_layout() -> None:
    error = refused("cluster.tensor_parallel=2", "cluster.processes=3")
    assert "3 processes aren't a multiple of TP x PP x CP = 2" in error


def test_the_global_batch_must_be_whole_micro_batches_on_every_replica() -> None:
    error = refused("midtrain.global_batch_size=24")
    assert "global_batch_size 24 isn't a multiple of micro_batch_size x data parallel = 16" in error
    assert "data parallel = 32" in refused("cluster.processes=2")
    accepted("cluster.processes=2", "midtrain.micro_batch_size=8")


def test_a_hybrid_pattern_has_one_known_character_a_layer() -> None:
    assert "6 characters for 7 layers" in refused("model.hybrid_pattern=M-M*-M", recipe="miniature_hybrid")
    assert "unknown letters in 'M-M*-MX'" in refused("model.hybrid_pattern=M-M*-MX", recipe="miniature_hybrid")


def test_a_hybrid_needs_its_mamba_section() -> None:
    assert "a hybrid needs the mamba section" in refused("model.hybrid_pattern=M-M*")


def test_a_mamba_head_must_divide_the_inner_width() -> None:
    error = refused("model.mamba.head_dim=48", recipe="miniature_hybrid")
    assert "head_dim 48 doesn't divide inner_size 256" in error


@pytest.mark.parametrize("kind", ["midtrain", "merge", "extend", "difficulty", "rl"])
def test_every_stage_but_pretraining_starts_from_another(kind: str) -> None:
    assert f"a {kind} stage needs `from`" in refused(f"pipeline.extra={{stage: {kind}}}")


def test_a_stage_from_an_unknown_one_is_refused_with_the_nearest() -> None:
    assert "unknown stage bse. Remedy: did you mean base?" in refused("pipeline.mid.from=bse")
    assert "unknown stage hrd. Remedy: did you mean hard?" in refused("pipeline.rl.prompts_from=hrd")


def test_a_stage_can_not_start_from_one_that_leaves_no_checkpoint() -> None:
    assert "pipeline.rl.from: hard leaves no checkpoint" in refused("pipeline.rl.from=hard")


def test_stages_that_start_from_each_other_are_refused() -> None:
    error = refused("pipeline.base.from=mid")
    assert "pipeline.base.from: the stage starts, in the end, from itself" in error
    assert "pipeline.mid.from: the stage starts, in the end, from itself" in error


@pytest.mark.parametrize(
    ("stage", "settings", "key"),
    [
        ("mid", "{step: 3}", "step"),
        ("mid", "{optimizer: {lr: 1}}", "optimizer.lr"),
        ("mid", "{temperature: 1}", "temperature"),
        ("rl", "{sequence_length: 64}", "sequence_length"),
        ("hard", "{difficulty: {sample: 8}}", "difficulty.sample"),
    ],
)
def test_with_takes_only_keys_of_the_section_that_the_stage_reads(stage: str, settings: str, key: str) -> None:
    assert f"pipeline.{stage}.with.{key}: " in refused(f"pipeline.{stage}.with={settings}")


def test_an_unknown_key_in_with_names_the_nearest() -> None:
    assert "did you mean steps?" in refused("pipeline.mid.with={step: 3}")


def test_a_prompt_mix_names_prompt_sets_and_sums_to_a_hundred() -> None:
    assert "rl.mix sums to 90 percent, not 100" in refused("pipeline.rl.with={mix: {math: 90}}")
    assert "no prompts for maths. Remedy: did you mean math?" in refused("pipeline.rl.with={mix: {maths: 100}}")


def test_a_claim_has_at_most_one_threshold() -> None:
    assert "claims.retention: more than one threshold" in refused("claims.retention.above=1")


def test_a_stage_that_waits_for_prompts_made_from_itself_is_refused() -> None:
    assert "hard" in refused("pipeline.hard.from=rl")


def test_prompts_come_from_a_difficulty_stage_only() -> None:
    assert "pipeline.rl.prompts_from" in refused("pipeline.rl.prompts_from=mid")


@pytest.mark.parametrize(
    "override",
    [
        "pipeline.merged={stage: merge, from: mid, with: {base: nowhere}}",
        "analyze.pairs=[[base, nowhere]]",
        "analyze.relations=[[[base, mid], [base, nowhere]]]",
    ],
)
def test_a_stage_that_a_setting_names_must_exist(override: str) -> None:
    assert "nowhere" in refused(override)


@pytest.mark.parametrize("override", ["rl.difficulty.min_correct=8", "rl.difficulty.max_correct=9"])
def test_the_difficulty_filter_must_leave_room_for_prompts(override: str) -> None:
    assert "rl.difficulty" in refused(override)


def test_the_difficulty_filter_names_prompt_sets() -> None:
    assert "did you mean math?" in refused("rl.difficulty.prompts_per_domain={maths: 512}")


def test_a_sequence_must_fit_the_model() -> None:
    assert "sequence_length" in refused("midtrain.sequence_length=512")


def test_files_that_the_run_makes_itself_need_not_exist() -> None:
    assert list(missing_files(load_recipe("miniature"))) == []


def test_sources_may_be_files_folders_or_globs(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n")
    for path in (tmp_path / "a.jsonl", tmp_path, tmp_path / "*.jsonl"):
        load_recipe("miniature", [f"data.sources.song.path={path}"], files=True)
    with pytest.raises(RecipeErrors, match="missing file"):
        load_recipe("miniature", [f"data.sources.song.path={tmp_path}/*.parquet"], files=True)


def test_a_tokenizer_file_and_prompt_sets_must_exist(tmp_path: Path) -> None:
    tokenizer = f"data.tokenizer={{kind: file, path: {tmp_path}/tokenizer.json}}"
    prompts = f"rl.prompts.math.path={tmp_path}/prompts.jsonl"
    with pytest.raises(RecipeErrors) as caught:
        load_recipe("miniature", [tokenizer, prompts], files=True)
    first, second = str(caught.value).splitlines()
    assert f"data.tokenizer.path: missing file {tmp_path}/tokenizer.json" in first
    assert f"rl.prompts.math.path: missing file {tmp_path}/prompts.jsonl" in second
