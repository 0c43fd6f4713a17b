"""Every key of a training stage has a fate; what NeMo can't do is refused by name."""

from __future__ import annotations

import pytest

from prism.errors import RecipeError
from prism.nemo.training.coverage import coverage, mapped, schema_keys
from prism.nemo.training.rules import ELSEWHERE, NOT_HONOURED, REFUSED, check, stage_of
from prism.recipe import RecipeErrors
from tests.nemo.training.made import MODELS, recipe


def test_every_key_of_the_schema_is_mapped_refused_or_read_elsewhere() -> None:
    """A new key fails here until it has a row."""
    found = set()
    for model in MODELS:
        found |= set(mapped(stage_of(recipe(model), "mid")))
    named = {*found, *REFUSED, *NOT_HONOURED, *ELSEWHERE}
    keys = schema_keys()
    assert len(keys) > 90
    assert [key for key in keys if not any(key == name or key.startswith(f"{name}.") for name in named)] == []


def test_no_rule_is_of_a_key_that_is_gone() -> None:
    keys = schema_keys()
    for name in {*REFUSED, *NOT_HONOURED, *ELSEWHERE} - {"pipeline.*.from", "sample_order"}:
        assert any(key == name or key.startswith(f"{name}.") for key in keys), name


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("midtrain.retention={action: warn}", "midtrain.retention"),
        ("midtrain.blend_changes={10: math}", "midtrain.blend_changes"),
        ("midtrain.packing=best_fit", "midtrain.packing"),
        ("midtrain.attention_across_documents=false", "midtrain.attention_across_documents"),
        ("midtrain.schedule.kind=exponential", "midtrain.schedule.kind"),
        ("midtrain.trainable=attention", "midtrain.trainable"),
        ("model.embedding_multiplier=2", "model.embedding_multiplier"),
        ("model.residual_multiplier=2", "model.residual_multiplier"),
        ("model.attention_multiplier=2", "model.attention_multiplier"),
        ("model.logits_scaling=2", "model.logits_scaling"),
        ("model.activation=squared_relu", "model.activation"),
        ("pipeline.mid.cluster.devices_per_node=7", "cluster.devices_per_node"),
        ("pipeline.mid.from=null", "pipeline.mid.from"),
    ],
)
def test_what_nemo_cannot_do_is_refused_by_its_name(change: str, key: str) -> None:
    changes = ["pipeline.mid.stage=pretrain", change] if key.startswith("pipeline") else [change]
    with pytest.raises(RecipeErrors) as caught:
        check(stage_of(recipe("llama_3_1_8b", *changes), "mid"))
    assert [error.place for error in caught.value.errors] == [key]


def test_several_refusals_come_at_once() -> None:
    changes = ("midtrain.packing=best_fit", "midtrain.trainable=attention")
    with pytest.raises(RecipeErrors) as caught:
        check(stage_of(recipe("llama_3_1_8b", *changes), "mid"))
    assert len(caught.value.errors) == 2


@pytest.mark.parametrize("model", ["granite_3_3_8b", "granite_4_micro", "granite_4_h_micro"])
def test_granite_is_refused_with_our_engine_as_the_remedy(model: str) -> None:
    with pytest.raises(RecipeError, match=r"model\.family.*midtrain\.engine=prism"):
        check(stage_of(recipe(model), "mid"))


def test_a_hybrid_has_no_interleaved_pipeline_there() -> None:
    stage = stage_of(recipe("nemotron_h_8b"), "mid")
    cluster = stage.cluster.model_copy(update={"virtual_pipeline": 2})
    assert not REFUSED["cluster.virtual_pipeline"].fits(type(stage)(stage.recipe, "mid", stage.training, cluster))


def test_what_is_passed_over_is_listed_and_can_be_required() -> None:
    assert {key for key, _ in check(stage_of(recipe(), "mid"))} >= {"sample_order", "cluster.loss_chunk_tokens"}
    required = recipe("llama_3_1_8b", "midtrain.nemo.require=[cluster.loss_chunk_tokens]")
    with pytest.raises(RecipeErrors, match=r"midtrain\.nemo\.require.*loss_chunk_tokens"):
        check(stage_of(required, "mid"))
    check(stage_of(recipe("llama_3_1_8b", *required_and_met()), "mid"))
    with pytest.raises(RecipeErrors, match=r"did you mean cluster\.loss_chunk_tokens"):
        check(stage_of(recipe("llama_3_1_8b", "midtrain.nemo.require=[cluster.loss_chunks]"), "mid"))


def required_and_met() -> tuple[str, str]:
    return "midtrain.nemo.require=[cluster.loss_chunk_tokens]", "cluster.loss_chunk_tokens=null"


def test_the_table_says_what_becomes_of_a_stage() -> None:
    rows = {row.key: row for row in coverage(recipe("llama_3_1_8b", "midtrain.packing=best_fit"), "mid")}
    assert rows["midtrain.packing"].fate == "refused"
    assert rows["midtrain.optimizer.learning_rate"].what == "optim.config.lr"
    assert rows["midtrain.retention"].fate == "allowed"
    assert rows["cluster.slurm"].fate == "elsewhere"
