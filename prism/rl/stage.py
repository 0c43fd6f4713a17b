"""The RL stage: GRPO on verifiable rewards from another stage's weights."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from prism.generate.megatron import MegatronLanguageModel
from prism.generate.protocol import Sampling
from prism.megatron import checkpoint
from prism.megatron.forward import evaluation_mode, negative_logprobs
from prism.megatron.layout import layout_of
from prism.megatron.parallel import (
    data_parallel_rank,
    data_parallel_size,
    gather_over_data_parallel,
    is_first_rank,
    process_groups,
    sum_over_data_parallel,
)
from prism.megatron.schedule import learning_rate
from prism.megatron.trainee import Trainee, build_frozen
from prism.prompts import PromptContract
from prism.prompts.export import export_stage
from prism.rl.advantage import group_advantages, live_groups
from prism.rl.batch import RolloutBatch, micro_batches
from prism.rl.loss import token_weights
from prism.rl.metrics import sample_rows, summarise
from prism.rl.objective import REPORT, GrpoObjective
from prism.rl.prompts import PromptSampler, RlPrompt, load_prompt_set, load_prompts
from prism.rl.reference import soft_update
from prism.rl.rollout import Rollout, roll_out
from prism.steplog import StepLog

if TYPE_CHECKING:
    from prism.recipe import Recipe, RlConfig

log = logging.getLogger("prism.rl")

_SAMPLES_PER_STEP = 4


def run_rl(recipe: Recipe, stage: str) -> None:
    """Runs GRPO to its last step and exports the policy; goes on from its newest checkpoint if it has one.

    Writes metrics.jsonl, samples.jsonl, checkpoints/ and hf/ in the stage's folder. A step's prompts and samples
    are drawn from (seed, step), so a resumed run repeats exactly what an uninterrupted one does.

    Raises:
        BadInput: the parent's checkpoint or a prompt set is missing or damaged.
        UsageError: a layout that can't decode.
    """
    config = recipe.rl_config(stage)
    folder = recipe.stage_directory(stage)
    layout = layout_of(recipe.cluster_config(stage))
    with process_groups(layout, recipe.run.seed):
        contract = PromptContract.load(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
        rows = recipe.vocabulary_rows(contract.vocab_size)
        trainee = Trainee(recipe.model, rows, layout, config.optimizer)
        reference = build_frozen(recipe.model, rows, layout)
        done = _begin(recipe, stage, trainee, reference, folder / "checkpoints")
        loop = RlLoop(recipe, config, contract, trainee, reference, rl_prompts(recipe, stage, config))
        loop.run(folder, done)
        first = is_first_rank()
    if first:
        export_stage(recipe, stage)


def rl_prompts(recipe: Recipe, stage: str, config: RlConfig) -> dict[str, list[RlPrompt]]:
    """The stage's prompts by domain: those that a difficulty stage kept, or the recipe's whole sets."""
    source = recipe.pipeline[stage].prompts_from
    if source is None:
        return {domain: load_prompt_set(recipe, domain, entry) for domain, entry in config.prompts.items()}
    by_domain: dict[str, list[RlPrompt]] = {}
    for prompt in load_prompts(recipe.stage_directory(source) / "prompts.jsonl", "?"):
        by_domain.setdefault(prompt.domain, []).append(prompt)
    return by_domain


def _begin(recipe: Recipe, stage: str, trainee: Trainee, reference: torch.nn.Module, checkpoints: Path) -> int:
    """Puts weights into policy and reference; returns the number of steps already done."""
    newest = checkpoint.latest(checkpoints)
    if newest is not None:
        log.info("%s: resuming after step %d from %s", stage, newest.step, newest.path)
        trainee.resume(newest)
        checkpoint.load_frozen(newest, reference, "reference")
        return newest.step
    parent = recipe.parent_of(stage)
    source = checkpoint.require_latest(recipe.stage_directory(parent) / "checkpoints")
    trainee.load_weights(source)
    checkpoint.load(source, reference)
    return 0


class RlLoop:
    """Rollout, reward, advantage, update, reference update: one step after the other."""

    def __init__(
        self,
        recipe: Recipe,
        config: RlConfig,
        contract: PromptContract,
        trainee: Trainee,
        reference: torch.nn.Module,
        prompts: Mapping[str, Sequence[RlPrompt]],
    ) -> None:
        self._config = config
        self._contract = contract
        self._trainee = trainee
        self._reference = reference
        self._seed = recipe.run.seed
        self._sampler = PromptSampler(prompts, config.mix, recipe.run.seed)
        self._generator = MegatronLanguageModel(
            trainee.chunk, contract.vocab_size, recipe.model.max_position_embeddings
        )
        self._sampling = Sampling(config.temperature, config.top_p, config.max_response_tokens, contract.stop_ids)

    def run(self, folder: Path, done: int) -> None:
        config, first = self._config, is_first_rank()
        saver = checkpoint.Saver(folder / "checkpoints", config.checkpoint)
        with (
            closing(saver),
            StepLog(folder / "metrics.jsonl", resume_after=done, enabled=first) as metrics,
            StepLog(folder / "samples.jsonl", resume_after=done, enabled=first) as samples,
        ):
            for step in range(done + 1, config.steps + 1):
                row, rollouts = self._step(step)
                for sample in sample_rows(step, rollouts, _SAMPLES_PER_STEP):
                    samples.append(sample)
                metrics.append(row)
                saver.poll()
                last = step == config.steps
                if last or step % config.checkpoint.every_steps == 0:
                    saver.save(
                        self._trainee.chunks,
                        self._trainee.optimizer,
                        step,
                        {"kind": "rl"},
                        frozen={"reference": self._reference},
                        wait=last,
                    )

    def _step(self, step: int) -> tuple[dict[str, Any], list[Rollout]]:
        """One step; returns its metrics and every rank's rollouts."""
        config = self._config
        began = time.perf_counter()
        own = self._roll_out(step)
        gathered = [rollout for rollouts in gather_over_data_parallel(own) for rollout in rollouts]
        rolled = time.perf_counter()
        groups = len(own) // config.responses_per_prompt
        rewards = torch.tensor([rollout.reward for rollout in own], dtype=torch.float64).view(groups, -1)
        advantages = group_advantages(rewards, config.advantage_epsilon).view(-1)
        lengths = torch.tensor([len(rollout.response.tokens) for rollout in own])
        weights = token_weights(lengths, config.responses_per_prompt) / data_parallel_size()
        batches = [
            self._with_reference(batch) for batch in micro_batches(own, advantages, weights, config.micro_batch_size)
        ]
        objective = GrpoObjective(config, len(batches) * data_parallel_size())
        rate = learning_rate(step, config.steps, config.optimizer.learning_rate, config.schedule)
        result = self._trainee.step(batches, objective, rate, REPORT)
        soft_update(self._reference_weights(), self._trainee.weights(), config.reference_update)
        sums = {name: float(sum_over_data_parallel(value.clone())) for name, value in result.sums.items()}
        all_rewards = torch.tensor([rollout.reward for rollout in gathered]).view(-1, config.responses_per_prompt)
        tokens = sum(len(rollout.response.tokens) for rollout in gathered)
        ended = time.perf_counter()
        row = {
            "step": step,
            **summarise(gathered),
            "kl": sums["kl"] / sums["tokens"],
            "loss": sums["loss"],
            "grad_norm": result.grad_norm,
            "learning_rate": rate,
            "live_groups": live_groups(all_rewards),
            "mismatch": sums["mismatch"] / sums["tokens"],
            "timing": {
                "seconds": round(ended - began, 3),
                "rollout_seconds": round(rolled - began, 3),
                "train_seconds": round(ended - rolled, 3),
                "rollout_tokens_per_second": round(tokens / (rolled - began), 1),
            },
        }
        return row, gathered

    def _roll_out(self, step: int) -> list[Rollout]:
        config = self._config
        prompts = self._sampler.draw(step, config.prompts_per_step)
        own = prompts[data_parallel_rank() :: data_parallel_size()]
        return roll_out(
            self._generator,
            self._contract,
            own,
            config.responses_per_prompt,
            self._sampling,
            seed=rollout_seed(self._seed, step, data_parallel_rank()),
            stop_penalty=config.stop_penalty,
            repetition_penalty=config.repetition_penalty,
        )

    def _with_reference(self, batch: RolloutBatch) -> RolloutBatch:
        with evaluation_mode(self._reference) as module:
            values = -negative_logprobs(module, batch.tokens, batch.labels)
        return replace(batch, reference_logprobs=values.clone())

    def _reference_weights(self) -> list[torch.Tensor]:
        return [parameter.data for parameter in self._reference.parameters()]


def rollout_seed(seed: int, step: int, rank: int) -> int:
    """A stream of its own for every step and data-parallel rank."""
    return (seed * 1_000_003 + step) * 4_096 + rank
