"""Findings about `rl.generator` and `rl.placement`."""

from __future__ import annotations

import pytest

from prism.recipe import RecipeErrors, load_recipe

VLLM = "rl.generator.kind=vllm"


def refused(*overrides: str) -> str:
    with pytest.raises(RecipeErrors) as caught:
        load_recipe("miniature", overrides)
    return str(caught.value)


def test_the_default_and_a_colocated_server_are_fine() -> None:
    assert load_recipe("miniature", [VLLM]).rl.placement.mode == "colocated"


def test_a_megatron_generator_can_t_have_gpus_of_its_own() -> None:
    error = refused("rl.placement.mode=separate")
    assert "the megatron generator reads the trainer's own weights" in error
    assert "set it to colocated, or rl.generator.kind to vllm" in error


def test_a_server_s_gpus_must_divide_the_heads() -> None:
    separate = (VLLM, "rl.placement.mode=separate")
    assert "rl.generator.vllm.tensor_parallel 3 can't share 4 heads" in refused(
        *separate, "rl.generator.vllm.tensor_parallel=3"
    )


def test_responses_must_leave_room_for_a_prompt() -> None:
    error = refused(VLLM, "rl.generator.vllm.context_length=40")
    assert "rl.max_response_tokens 44 leaves no room for a prompt in the generator's 40 tokens" in error


def test_a_server_s_context_is_the_model_s_at_most() -> None:
    assert "is beyond model.max_position_embeddings" in refused(VLLM, "rl.generator.vllm.context_length=100000")


def test_an_address_is_an_http_one() -> None:
    assert "node7:8000 is no address. Remedy: write http://HOST:PORT" in refused(
        VLLM, "rl.generator.vllm.urls=[node7:8000]"
    )


def test_colocated_servers_have_the_trainer_s_gpus() -> None:
    error = refused(VLLM, "rl.generator.vllm.engines=2")
    assert "2 servers of 1 GPUs need 2, rl.placement.mode colocated has cluster.processes 1" in error
    load_recipe("miniature", [VLLM, "rl.generator.vllm.engines=2", "rl.placement.mode=separate"])


def test_nccl_needs_gpus_of_the_servers_own() -> None:
    assert "NCCL allows a GPU once in a group" in refused(VLLM, "rl.generator.vllm.transport=nccl")
    load_recipe("miniature", [VLLM, "rl.generator.vllm.transport=nccl", "rl.placement.mode=separate"])
