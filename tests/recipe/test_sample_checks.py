"""Blends, packing and masks of a training stage that don't go together."""

from __future__ import annotations

import pytest

from prism.recipe import RecipeErrors, load_recipe

ONE_ROW = "midtrain.micro_batch_size=1"
PACKED = [ONE_ROW, "midtrain.packing=best_fit"]


def refused(*overrides: str) -> str:
    with pytest.raises(RecipeErrors) as caught:
        load_recipe("miniature", overrides)
    return str(caught.value)


def test_packing_needs_a_micro_batch_of_one_sequence() -> None:
    error = refused("pipeline.mid.with.packing=best_fit")
    assert "pipeline.mid.with.micro_batch_size: documents that don't see each other need micro_batch_size 1" in error
    assert "it is 16. Remedy: set it to 1" in error
    assert "pipeline.base" not in error


def test_concatenated_documents_apart_need_a_micro_batch_of_one_sequence() -> None:
    error = refused("pipeline.mid.with.attention_across_documents=false")
    assert "pipeline.mid.with.micro_batch_size: documents that don't see each other need micro_batch_size 1" in error
    load_recipe("miniature", [ONE_ROW, "pipeline.mid.with.attention_across_documents=false"])


def test_a_blend_that_a_stage_changes_to_must_exist() -> None:
    error = refused("pipeline.mid.with.blend_changes={100: math_cod}")
    assert "pipeline.mid.with.blend_changes.100: unknown blend math_cod. Remedy: did you mean math_code?" in error


@pytest.mark.parametrize("step", [-1, 0, 878, 5_000])
def test_a_blend_changes_within_the_stage(step: int) -> None:
    error = refused(f"pipeline.mid.with.blend_changes={{{step}: math}}")
    assert f"pipeline.mid.with.blend_changes.{step}: the stage has no step after {step}" in error
    assert "Remedy: choose 1 to 877" in error


@pytest.mark.parametrize("step", [1, 877])
def test_a_blend_may_change_after_the_first_step_and_before_the_last(step: int) -> None:
    recipe = load_recipe("miniature", [f"pipeline.mid.with.blend_changes={{{step}: math}}"])
    assert recipe.training_config("mid").blends() == [(0, "math_code_science"), (16 * step, "math")]


def test_a_step_that_is_no_number_is_refused() -> None:
    assert "pipeline.mid.with.blend_changes.soon" in refused("pipeline.mid.with.blend_changes={soon: math}")


@pytest.mark.parametrize("overlap", [64, 100])
def test_an_overlap_leaves_room_for_new_tokens(overlap: int) -> None:
    error = refused(*PACKED, f"midtrain.pack_overlap_tokens={overlap}")
    assert f"pack_overlap_tokens: an overlap of {overlap} tokens leaves nothing of 64" in error
    assert "Remedy: choose less than sequence_length" in error
    load_recipe("miniature", [*PACKED, "midtrain.pack_overlap_tokens=63"])


def test_packed_documents_are_never_seen_across() -> None:
    error = refused(*PACKED, "pipeline.mid.with.attention_across_documents=true")
    assert "pipeline.mid.with.attention_across_documents: packed documents never see each other" in error


@pytest.mark.parametrize("key", ["pack_overlap_tokens", "min_document_tokens"])
def test_keys_of_packing_need_packing(key: str) -> None:
    error = refused(f"pipeline.mid.with.{key}=8")
    assert "pipeline.mid.with.packing: pack_overlap_tokens and min_document_tokens are for packing best_fit" in error
    load_recipe("miniature", [*PACKED, f"midtrain.{key}=8"])


def test_an_extend_stage_packs_unless_told_otherwise() -> None:
    stage, section = (
        "pipeline.longer={stage: extend, from: mid}",
        "long_context.extend={sequence_length: 128, steps: 5}",
    )
    recipe = load_recipe("miniature", [stage, section])
    assert recipe.training_config("longer").packing == "best_fit"
    assert recipe.training_config("mid").packing == "concatenate"
    assert "pipeline.longer.with.micro_batch_size" in refused(stage, section, "long_context.extend.micro_batch_size=4")
    plain = load_recipe("miniature", [stage, section, "long_context.extend.packing=concatenate"])
    assert plain.training_config("longer").pack is None
