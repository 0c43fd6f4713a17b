"""A recipe's RL stage as Hydra overrides of Aligner 0.7.0's `gpt_reinforce_actor`.

Every key is one of that configuration, or is added to it where Aligner's own tests add it (`++`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prism.errors import RecipeError

if TYPE_CHECKING:
    from prism.recipe import ClusterConfig, Recipe, RlConfig

SAVE_MINUTES = 20
"""Before Slurm's time limit, the actor saves and ends."""
_SCHEDULES = {"cosine": "CosineAnnealing", "linear": "WarmupAnnealing", "exponential": "WarmupAnnealing"}
_SCHEDULES["constant"] = "WarmupAnnealing"
_ROUND = 64


@dataclass(frozen=True)
class Override:
    """`added`: the key isn't in Aligner's file; `removed`: the key leaves it, whatever the value."""

    key: str
    value: Any = None
    added: bool = False
    removed: bool = False

    def __str__(self) -> str:
        if self.removed:
            return f"~{self.key}"
        return f"{'++' if self.added else ''}{self.key}={hydra_value(self.value)}"


@dataclass(frozen=True)
class Places:
    """Files of the job, as its containers see them."""

    policy: str
    results: str
    train: str
    validation: str


def hydra_value(value: Any) -> str:
    """A value in Hydra's grammar; strings are quoted, so that nothing in them is taken for grammar."""
    if isinstance(value, bool) or value is None:
        return {True: "True", False: "False", None: "null"}[value]
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {hydra_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(hydra_value, value)) + "]"
    return repr(value)


def overrides(recipe: Recipe, stage: str, places: Places, longest_prompt: int) -> list[Override]:
    """All of the job but the reward server's host, which is known when it runs.

    Args:
        longest_prompt: tokens of the longest prompt.

    Raises:
        RecipeError: numbers of prompts don't divide over the devices, or prompts and responses don't fit the model.
    """
    config, cluster = recipe.rl_config(stage), recipe.cluster_config(stage)
    length = _sequence_length(recipe, config, longest_prompt)
    end = recipe.data.tokenizer.end_of_document
    return [
        *_trainer(config, cluster),
        *_batches(config, cluster),
        Override("model.encoder_seq_length", length),
        Override("model.reinforce.length_params.max_length", config.max_response_tokens),
        Override("model.reinforce.sampling_params.temperature", config.temperature),
        Override("model.reinforce.sampling_params.top_p", config.top_p),
        Override("model.reinforce.sampling_params.end_strings", [end]),
        Override("model.seed", recipe.run.seed),
        *_parallel(cluster),
        *_optimizer(config),
        Override("pretrained_checkpoint.restore_from_path", places.policy),
        Override(
            "model.data.data_prefix",
            {"train": [places.train], "validation": [places.validation], "test": [places.validation]},
        ),
        Override("exp_manager.explicit_log_dir", places.results),
        Override("exp_manager.checkpoint_callback_params.save_top_k", config.checkpoint.keep_last),
        Override("exp_manager.max_time_per_run", _duration(config.aligner.time_limit_minutes), added=True),
        Override("remote_rm.reward_model.port", config.aligner.rewards.port),
    ]


def _trainer(config: RlConfig, cluster: ClusterConfig) -> list[Override]:
    devices = cluster.devices_per_node
    return [
        Override("trainer.num_nodes", cluster.processes // devices),
        Override("trainer.devices", devices),
        Override("trainer.reinforce.max_epochs", 1),
        Override("trainer.reinforce.max_steps", config.steps),
        Override("trainer.reinforce.val_check_interval", config.checkpoint.every_steps),
        Override("trainer.reinforce.gradient_clip_val", config.optimizer.clip_grad),
        Override("trainer.reinforce.initial_policy_kl_penalty", config.kl_coefficient),
        Override("trainer.reinforce.use_absolute_kl", False),
        Override("trainer.reinforce.num_rollouts_per_prompt", config.responses_per_prompt),
        Override("trainer.reinforce.trt_llm.enable", config.aligner.trt_llm),
        Override("trainer.reinforce.trt_llm.reshard", config.aligner.trt_llm and cluster.pipeline_parallel > 1),
        Override("trainer.reinforce.trt_llm.model_type", "llama"),
    ]


def _batches(config: RlConfig, cluster: ClusterConfig) -> list[Override]:
    """Prompts are dealt out to replicas while they sample, responses while they train."""
    replicas = cluster.processes // (cluster.tensor_parallel * cluster.pipeline_parallel)
    resharded = config.aligner.trt_llm and cluster.pipeline_parallel > 1
    samplers = replicas * cluster.pipeline_parallel if resharded else replicas
    most = config.aligner.rollout_micro_batch_size
    prompts = _each(config.prompts_per_step, samplers, "rl.prompts_per_step")
    held_out = _each(config.aligner.validation_prompts, samplers, "rl.aligner.validation_prompts")
    responses = config.prompts_per_step * config.responses_per_prompt
    batch = _each(responses, config.updates_per_step, "rl.updates_per_step")
    own = _each(batch, replicas, "rl.updates_per_step")
    return [
        Override("model.reinforce.num_rollout_samples", config.prompts_per_step),
        Override("model.reinforce.rollout_micro_batch_size", _divisor(prompts, most)),
        Override("model.reinforce.num_val_samples", config.aligner.validation_prompts),
        Override("model.reinforce.val_rollout_micro_batch_size", _divisor(held_out, most)),
        Override("model.global_batch_size", batch),
        Override("model.micro_batch_size", _divisor(own, config.micro_batch_size)),
    ]


def _parallel(cluster: ClusterConfig) -> list[Override]:
    found = [
        Override("model.tensor_model_parallel_size", cluster.tensor_parallel, added=True),
        Override("model.pipeline_model_parallel_size", cluster.pipeline_parallel, added=True),
        Override("model.sequence_parallel", cluster.sequence_parallel),
    ]
    if cluster.recompute == "none":
        return found
    found.append(Override("model.activations_checkpoint_granularity", cluster.recompute, added=True))
    if cluster.recompute == "full":
        method = "block" if cluster.recompute_layers else "uniform"
        found.append(Override("model.activations_checkpoint_method", method, added=True))
        found.append(Override("model.activations_checkpoint_num_layers", cluster.recompute_layers or 1, added=True))
    return found


def _optimizer(config: RlConfig) -> list[Override]:
    """The checkpoint's own optimizer section is left out of the merge, or its keys would come back."""
    optimizer, schedule = config.optimizer, config.schedule
    final = 1.0 if schedule.kind == "constant" else schedule.final_fraction
    updates = config.steps * config.updates_per_step
    cosine = schedule.kind == "cosine"
    return [
        Override("model.overwrite_base_config.optim", True, added=True),
        Override("model.optim.lr", optimizer.learning_rate),
        Override("model.optim.weight_decay", optimizer.weight_decay),
        Override("model.optim.betas", [optimizer.beta1, optimizer.beta2]),
        Override("model.optim.eps", optimizer.epsilon, added=True),
        Override("model.optim.sched.name", _SCHEDULES[schedule.kind]),
        Override("model.optim.sched.warmup_steps", schedule.warmup_steps),
        Override("model.optim.sched.min_lr", optimizer.learning_rate * final),
        Override("model.optim.sched.constant_steps", 0, removed=not cosine),
        Override("model.optim.sched.max_steps", updates, added=True),
    ]


def _sequence_length(recipe: Recipe, config: RlConfig, longest_prompt: int) -> int:
    """Room for the longest prompt and the longest response; Aligner leaves out prompts that don't fit."""
    needed, most = longest_prompt + config.max_response_tokens, recipe.model.max_position_embeddings
    if needed > most:
        raise RecipeError(
            f"the longest prompt ({longest_prompt} tokens) and response ({config.max_response_tokens}) don't fit "
            f"the model's {most} positions",
            place="rl.max_response_tokens",
            remedy=f"set it to {most - longest_prompt} or less" if most > longest_prompt else "use shorter prompts",
        )
    return min(most, -(-needed // _ROUND) * _ROUND)


def _each(total: int, parts: int, key: str) -> int:
    if total % parts:
        raise RecipeError(
            f"{total} doesn't divide by {parts}",
            place=key,
            remedy=f"Aligner deals out whole numbers: take a multiple of {parts}, or fewer devices",
        )
    return total // parts


def _divisor(number: int, at_most: int) -> int:
    return next(size for size in range(min(number, at_most), 0, -1) if number % size == 0)


def _duration(minutes: int) -> str:
    """Days, hours, minutes and seconds, less what saving takes."""
    hours, rest = divmod(minutes - SAVE_MINUTES, 60)
    days, hours = divmod(hours, 24)
    return f"{days:02d}:{hours:02d}:{rest:02d}:00"
