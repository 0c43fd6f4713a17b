"""A stage's own `cluster` keys."""

from __future__ import annotations

import pytest

from prism.recipe import RecipeErrors, load_recipe

TWO_REPLICAS = ["pipeline.base.cluster.processes=2", "pipeline.base.with.micro_batch_size=8"]


def refused(*overrides: str) -> str:
    with pytest.raises(RecipeErrors) as caught:
        load_recipe("miniature", overrides)
    return str(caught.value)


def test_a_stage_lays_its_keys_over_the_cluster_section() -> None:
    recipe = load_recipe("miniature", TWO_REPLICAS)
    assert recipe.cluster_config("base").processes == 2
    assert recipe.cluster_config("mid").processes == recipe.cluster.processes == 1


def test_an_unknown_key_names_the_nearest() -> None:
    error = refused("pipeline.base.cluster.proceses=2")
    assert "proceses: unknown key. Remedy: did you mean processes?" in error


def test_a_stage_s_layout_must_fit_the_model() -> None:
    error = refused("pipeline.base.cluster={processes: 3, tensor_parallel: 3}")
    assert "pipeline.base.cluster.tensor_parallel: tensor_parallel 3 doesn't divide 4 query heads" in error


def test_a_stage_s_batch_must_fit_its_replicas() -> None:
    assert "data parallel = 32" in refused("pipeline.base.cluster.processes=2")


def test_a_sequence_must_be_cut_into_two_chunks_a_context_parallel_rank() -> None:
    error = refused("pipeline.base.cluster={processes: 2, context_parallel: 2}", "midtrain.sequence_length=66")
    assert "sequence_length 66 can't be cut into 2 x context_parallel = 4 chunks. Remedy: use a multiple of 4" in error


def test_the_remedy_names_the_nearest_layout_that_works() -> None:
    error = refused("pipeline.base.cluster={processes: 8, tensor_parallel: 8}", "midtrain.micro_batch_size=4")
    assert (
        "tensor_parallel 8 doesn't divide 4 query heads. Remedy: nearest that does: 4, or the nearest layout that "
        "works: tensor_parallel 4, 2 replicas, without sequence_parallel" in error
    )


def test_an_interleaved_pipeline_is_a_training_stage_s_own() -> None:
    error = refused("cluster.processes=2", "cluster.pipeline_parallel=2", "cluster.virtual_pipeline=2")
    assert "evaluation, analysis and RL, which use this section too, don't run an interleaved pipeline" in error
    own = "pipeline.base.cluster={processes: 2, pipeline_parallel: 2, virtual_pipeline: 2}"
    load_recipe("miniature", [own, "pipeline.base.with.micro_batch_size=8"])


@pytest.mark.parametrize("keys", ["context_parallel: 2", "tensor_parallel: 2, sequence_parallel: true"])
def test_a_stage_that_decodes_takes_whole_sequences(keys: str) -> None:
    error = refused(f"pipeline.rl.cluster={{processes: 2, {keys}}}")
    assert "a stage that decodes can't use" in error
