"""From a file to a recipe: each error is a line with file, line, key and remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from prism.recipe import Recipe, RecipeErrors, load_recipe

Write = Callable[..., Path]


def errors_of(recipe: Path | str, *overrides: str, files: bool = False) -> list[str]:
    with pytest.raises(RecipeErrors) as caught:
        load_recipe(recipe, overrides, files=files)
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


def test_an_unknown_key_is_named_with_file_line_and_nearest_name(write: Write) -> None:
    recipe = write("extends: miniature.yaml", "midtrain:", "  sequence_lenght: 64")
    assert errors_of(recipe) == [
        f"{recipe}:3: midtrain.sequence_lenght: unknown key. Remedy: did you mean sequence_length?"
    ]


def test_a_wrong_type_is_named_with_file_line_and_key(write: Write) -> None:
    recipe = write("extends: miniature.yaml", "", "midtrain: {steps: many}")
    (error,) = errors_of(recipe)
    assert error.startswith(f"{recipe}:3: midtrain.steps: 'many' isn't a valid integer")


def test_a_blend_is_taken_whole_and_weights_that_do_not_sum_are_named_with_its_line(write: Write) -> None:
    recipe = write("extends: miniature.yaml", "data:", "  blends:", "    base: {general: 60}")
    assert errors_of(recipe) == [
        f"{recipe}:4: data.blends.base: weights sum to 60 percent, not 100. Remedy: make them sum to 100"
    ]


def test_a_missing_file_is_named_with_file_line_and_key(write: Write) -> None:
    recipe = write("extends: miniature.yaml", "data:", "  sources:", "    song: {path: no_such_file.jsonl}")
    (error,) = errors_of(recipe, files=True)
    assert error.startswith(f"{recipe}:4: data.sources.song.path: missing file no_such_file.jsonl. Remedy: ")


def test_tensor_parallel_that_does_not_divide_the_heads_names_the_nearest_that_does(write: Write) -> None:
    recipe = write("extends: miniature.yaml", "cluster:", "  tensor_parallel: 3", "  processes: 3")
    assert errors_of(recipe) == [
        f"{recipe}:3: cluster.tensor_parallel: tensor_parallel 3 doesn't divide 4 query heads. "
        "Remedy: nearest that does: 2"
    ]


def test_files_are_looked_for_only_when_asked(write: Write) -> None:
    recipe = write("extends: miniature.yaml", "data: {sources: {song: {path: no_such_file.jsonl}}}")
    assert load_recipe(recipe).data.sources["song"].path == "no_such_file.jsonl"


def test_an_error_in_a_fragment_names_the_fragment(write: Write) -> None:
    fragment = write("model:", "  hidden_sise: 128", name="fragment.yaml")
    recipe = write("extends: [miniature.yaml, fragment.yaml]", "run: {name: mine}")
    assert errors_of(recipe) == [f"{fragment}:2: model.hidden_sise: unknown key. Remedy: did you mean hidden_size?"]


def test_an_error_in_an_override_names_the_override() -> None:
    assert errors_of("miniature", "rl.sted=3") == ["--set rl.sted: rl.sted: unknown key. Remedy: did you mean steps?"]


def test_every_error_of_a_recipe_is_told_at_once_one_line_each(write: Write) -> None:
    recipe = write("extends: miniature.yaml", "run: {sed: 1}", "midtrain:", "  steps: many", "  precision: fp4")
    lines = errors_of(recipe)
    assert len(lines) == 3
    assert {re.match(r"\S+?:(\d+): ", line)[1] for line in lines} == {"2", "4", "5"}  # type: ignore[index]


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("modle", "model"),
        ("midtrain.optimizer.learning_rates", "learning_rate"),
        ("pipeline.mid.form", "from"),
        ("data.sources.general.readr", "reader"),
        ("rl.difficulty.sample", "samples"),
        ("claims.retention.at_leas", "at_least"),
        ("model.initialisation.embeding_std", "embedding_std"),
    ],
)
def test_the_nearest_name_is_found_at_every_depth(key: str, nearest: str) -> None:
    (error,) = errors_of("miniature", f"{key}=1")
    assert error == f"--set {key}: {key}: unknown key. Remedy: did you mean {nearest}?"


def test_a_key_like_no_other_lists_those_that_are_known() -> None:
    (error,) = errors_of("miniature", "midtrain.schedule.zzzzzz=1")
    assert error.endswith("Remedy: known here: final_fraction, kind, warmup_steps")


def test_a_key_that_moved_is_told_by_its_new_name_in_a_current_recipe(write: Write) -> None:
    recipe = write("schema_version: 2", "extends: miniature.yaml", "rl:", "  placement: {gpu_memory_gib: 60}")
    (error,) = errors_of(recipe)
    assert "rl.placement.gpu_memory_gib: it is cluster.device_memory_gib now" in error
    assert str(recipe) in error


def test_a_required_key_that_is_not_set_is_named(write: Write) -> None:
    recipe = write("run: {name: mine}", "model:", "  num_layers: 2", "  num_attention_heads: 2", "  ffn_hidden_size: 8")
    assert errors_of(recipe) == [f"{recipe}:2: model.hidden_size: required and not set. Remedy: add hidden_size"]


def test_a_recipe_of_another_schema_version_is_refused() -> None:
    from prism.errors import RecipeError

    with pytest.raises(RecipeError, match=r"--set schema_version: schema_version 3, this release reads 2"):
        load_recipe("miniature", ["schema_version=3"])


def test_a_wrong_type_of_a_key_that_takes_two_types_is_one_line_with_the_key() -> None:
    (error,) = errors_of("miniature", "model.initialisation.scale=wide")
    assert error.startswith("--set model.initialisation.scale: model.initialisation.scale: 'wide' isn't ")


def test_what_looks_like_a_date_stays_text() -> None:
    assert load_recipe("miniature", ["run.name=2024-01-01"]).run.name == "2024-01-01"


def test_a_named_entry_set_to_null_is_taken_out() -> None:
    assert "base_fails" not in load_recipe("miniature", ["claims.base_fails=null"]).claims


def test_a_recipe_can_not_be_changed_after_it_was_read() -> None:
    recipe = load_recipe("miniature")
    assert isinstance(recipe, Recipe)
    with pytest.raises(ValidationError):
        recipe.run.seed = 2  # type: ignore[misc]
