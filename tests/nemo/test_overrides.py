"""Aligner's settings follow from the recipe, under keys that it has."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from prism.errors import RecipeError
from prism.nemo.overrides import Override, Places, hydra_value, overrides
from tests.nemo.made import recipe

PLACES = Places("/job/policy.nemo", "/job/results", "/job/train.jsonl", "/job/validation.jsonl")
KNOWN = set(
    """
    trainer.num_nodes trainer.devices trainer.reinforce.max_epochs trainer.reinforce.max_steps
    trainer.reinforce.val_check_interval trainer.reinforce.gradient_clip_val
    trainer.reinforce.initial_policy_kl_penalty trainer.reinforce.use_absolute_kl
    trainer.reinforce.num_rollouts_per_prompt trainer.reinforce.trt_llm.enable trainer.reinforce.trt_llm.reshard
    trainer.reinforce.trt_llm.model_type remote_rm.reward_model.ip remote_rm.reward_model.port
    exp_manager.explicit_log_dir exp_manager.checkpoint_callback_params.save_top_k
    pretrained_checkpoint.restore_from_path model.reinforce.rollout_micro_batch_size
    model.reinforce.num_rollout_samples model.reinforce.val_rollout_micro_batch_size model.reinforce.num_val_samples
    model.reinforce.sampling_params.temperature model.reinforce.sampling_params.top_p
    model.reinforce.sampling_params.end_strings model.reinforce.length_params.max_length model.micro_batch_size
    model.global_batch_size model.encoder_seq_length model.sequence_parallel model.seed model.optim.lr
    model.optim.weight_decay model.optim.betas model.optim.sched.name model.optim.sched.warmup_steps
    model.optim.sched.constant_steps model.optim.sched.min_lr model.data.data_prefix
    """.split()
)
"""Keys of gpt_reinforce_actor.yaml at tag v0.7.0. PRISM_ALIGNER_CONF composes with the file itself."""


def found(folder: Path, *changes: str, longest: int = 12) -> dict[str, Override]:
    return {one.key: one for one in overrides(recipe(folder, *changes), "rl", PLACES, longest)}


def values(folder: Path, *changes: str, longest: int = 12) -> dict[str, Any]:
    return {key: one.value for key, one in found(folder, *changes, longest=longest).items()}


def test_every_key_is_aligners_or_is_added(tmp_path: Path) -> None:
    for change in (
        "rl.schedule.kind=cosine",
        "pipeline.rl.cluster.recompute=full",
        "pipeline.rl.cluster.recompute=selective",
    ):
        every = found(tmp_path, change).values()
        assert {one.key for one in every if not one.added} <= KNOWN
        assert all(one.key not in KNOWN for one in every if one.added)


def test_a_step_has_the_recipes_prompts_responses_and_updates(tmp_path: Path) -> None:
    said = values(
        tmp_path, "rl.updates_per_step=2", "pipeline.rl.cluster.processes=4", "pipeline.rl.cluster.tensor_parallel=2"
    )
    assert said["trainer.num_nodes"] == 4 and said["trainer.devices"] == 1
    assert said["model.reinforce.num_rollout_samples"] == 8
    assert said["trainer.reinforce.num_rollouts_per_prompt"] == 4
    assert said["model.global_batch_size"] == 8 * 4 // 2
    assert said["model.reinforce.rollout_micro_batch_size"] == 4  # 8 prompts over 2 replicas
    assert said["model.optim.sched.max_steps"] == 3 * 2
    assert said["model.tensor_model_parallel_size"] == 2


def test_resharding_samples_with_pipeline_devices_as_replicas(tmp_path: Path) -> None:
    said = values(tmp_path, "pipeline.rl.cluster.processes=4", "pipeline.rl.cluster.pipeline_parallel=2")
    assert said["trainer.reinforce.trt_llm.reshard"] is True
    assert said["model.reinforce.rollout_micro_batch_size"] == 2  # 8 prompts over 4
    plain = values(
        tmp_path,
        "pipeline.rl.cluster.processes=4",
        "pipeline.rl.cluster.pipeline_parallel=2",
        "rl.aligner.trt_llm=false",
    )
    assert plain["trainer.reinforce.trt_llm.reshard"] is False
    assert plain["model.reinforce.rollout_micro_batch_size"] == 4


@pytest.mark.parametrize(
    ("kind", "name", "final", "constant_leaves"),
    [
        ("linear", "WarmupAnnealing", 1e-5, True),
        ("constant", "WarmupAnnealing", 1e-4, True),
        ("cosine", "CosineAnnealing", 1e-5, False),
    ],
)
def test_the_learning_rate_goes_as_the_recipe_says(
    tmp_path: Path, kind: str, name: str, final: float, constant_leaves: bool
) -> None:
    changes = [f"rl.schedule={{kind: {kind}, final_fraction: 0.1, warmup_steps: 1}}", "rl.optimizer.learning_rate=1e-4"]
    said = found(tmp_path, *changes)
    assert said["model.optim.sched.name"].value == name
    assert said["model.optim.sched.min_lr"].value == pytest.approx(final)
    assert said["model.optim.sched.constant_steps"].removed is constant_leaves
    assert said["model.overwrite_base_config.optim"].value is True


def test_the_sequence_has_room_for_the_longest_prompt_and_response(tmp_path: Path) -> None:
    assert values(tmp_path, longest=12)["model.encoder_seq_length"] == 64
    assert values(tmp_path, longest=60)["model.encoder_seq_length"] == 128
    with pytest.raises(RecipeError, match="don't fit") as error:
        values(tmp_path, longest=120)
    assert "set it to 8" in error.value.remedy


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        (["pipeline.rl.cluster.processes=3"], "rl.prompts_per_step"),
        (["rl.aligner.validation_prompts=5", "pipeline.rl.cluster.processes=2"], "rl.aligner.validation_prompts"),
        (["rl.updates_per_step=3"], "rl.updates_per_step"),
    ],
)
def test_numbers_that_do_not_divide_are_refused(tmp_path: Path, changes: list[str], place: str) -> None:
    with pytest.raises(RecipeError) as error:
        values(tmp_path, *changes)
    assert error.value.place == place


def test_the_actor_saves_before_the_time_limit(tmp_path: Path) -> None:
    assert values(tmp_path)["exp_manager.max_time_per_run"] == "00:03:40:00"
    assert values(tmp_path, "rl.aligner.time_limit_minutes=2900")["exp_manager.max_time_per_run"] == "02:00:00:00"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "True"),
        (None, "null"),
        (5e-7, "5e-07"),
        (["<|end|>", 'say "so"'], r'["<|end|>", "say \"so\""]'),
        ({"train": ["/a b"]}, '{train: ["/a b"]}'),
    ],
)
def test_values_are_written_in_hydras_grammar(value: Any, text: str) -> None:
    assert hydra_value(value) == text


COMPOSE = """
import sys
import hydra
from omegaconf import OmegaConf
rules = {"multiply": lambda x, y: x * y, "int_div": lambda x, y: x // y, "subtract": lambda x, y: x - y}
for name, rule in rules.items():
    OmegaConf.register_new_resolver(name, rule)
with hydra.initialize_config_dir(sys.argv[1], version_base=None):
    config = hydra.compose("gpt_reinforce_actor", sys.stdin.read().splitlines())
OmegaConf.resolve(config)
print(config.trainer.reinforce.trt_llm.max_input_len, config.model.data.data_prefix.train[0])
"""


@pytest.mark.skipif(
    "PRISM_ALIGNER_CONF" not in os.environ or "PRISM_HYDRA_PYTHON" not in os.environ,
    reason="PRISM_ALIGNER_CONF: folder examples/nlp/gpt/conf of v0.7.0; PRISM_HYDRA_PYTHON: has hydra-core 1.3.2",
)
def test_aligners_own_file_composes_with_them(tmp_path: Path) -> None:
    for changes in (
        [],
        ["rl.schedule.kind=cosine", "pipeline.rl.cluster.recompute=full", "pipeline.rl.cluster.processes=4"],
    ):
        lines = "".join(f"{one}\n" for one in found(tmp_path, *changes).values())
        command = [os.environ["PRISM_HYDRA_PYTHON"], "-c", COMPOSE, os.environ["PRISM_ALIGNER_CONF"]]
        done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
        assert done.stdout.split() == ["48", "/job/train.jsonl"], done.stderr
