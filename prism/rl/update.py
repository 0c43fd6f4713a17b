"""What a step learns from its rollouts: advantages, weights of tokens, micro batches, optimizer updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from prism.megatron.parallel import (
    data_parallel_rank,
    data_parallel_size,
    pipeline_size,
    sum_over_data_parallel,
)
from prism.megatron.trainee import Trainee
from prism.rl.advantage import group_advantages
from prism.rl.batch import RolloutBatch, Weighted, label_logprobs, micro_batches, share_of, weigh
from prism.rl.clock import StepClock
from prism.rl.collect import Collected
from prism.rl.loss import token_weights
from prism.rl.objective import REPORT, GrpoObjective
from prism.rl.reference import Reference
from prism.rl.rollout import Rollout

if TYPE_CHECKING:
    from prism.recipe import RlConfig


@dataclass(frozen=True)
class Updated:
    """What the updates of a step did; means are over the response tokens that were trained on.

    updates: 0 where no group taught anything; then there are no means.
    """

    updates: int
    grad_norm: float | None = None
    loss: float | None = None
    means: Mapping[str, float] | None = None


class Updater:
    """Trains on a step's rollouts. All ranks hold one and call it together.

    Args: reference: None where the loss has no KL.
    """

    def __init__(
        self,
        config: RlConfig,
        trainee: Trainee,
        reference: Reference | None,
        clock: StepClock,
    ) -> None:
        self._config, self._trainee, self._reference = config, trainee, reference
        self._clock = clock

    def update(self, collected: Collected, learning_rate: float) -> Updated:
        """One optimizer update for each share of the groups that teach something."""
        shares = self._shares(collected)
        if not shares:
            return Updated(0)
        if self._reference is not None:
            with self._clock.part("reference"):
                shares = [self._reference.logprobs(batches) for batches in shares]
        if len(shares) > 1:  # later updates start from other weights than those that the step began with
            with self._clock.part("old_logprobs"):
                shares = [self._with_old(batches) for batches in shares]
        with self._clock.part("train"):
            results = [self._one(batches, learning_rate) for batches in shares]
        sums = {name: sum(result[name] for result in results) for name in REPORT}
        tokens = sums.pop("tokens")
        if self._reference is None:
            del sums["kl"]
        return Updated(
            len(results),
            grad_norm=sum(result["grad_norm"] for result in results) / len(results),
            loss=sums.pop("loss") / len(results),
            means={name: value / tokens for name, value in sums.items()},
        )

    def _shares(self, collected: Collected) -> list[list[RolloutBatch]]:
        """This rank's micro batches of each update."""
        live = collected.live
        updates = min(self._config.updates_per_step, len(live))
        bounds = [number * len(live) // max(updates, 1) for number in range(updates + 1)]
        return [
            self._micro_batches([collected.group(number) for number in live[start:end]])
            for start, end in pairwise(bounds)
        ]

    def _micro_batches(self, groups: Sequence[Sequence[Rollout]]) -> list[RolloutBatch]:
        config = self._config
        own = share_of(update_items(groups, config), data_parallel_rank(), data_parallel_size())
        return micro_batches(own, config.micro_batch_size, config.packing_tokens, uniform=pipeline_size() > 1)

    def _with_old(self, batches: Sequence[RolloutBatch]) -> list[RolloutBatch]:
        return [replace(batch, old_logprobs=label_logprobs(self._trainee.chunk, batch)) for batch in batches]

    def _one(self, batches: Sequence[RolloutBatch], learning_rate: float) -> dict[str, float]:
        objective = GrpoObjective(self._config, len(batches) * data_parallel_size())
        result = self._trainee.step(batches, objective, learning_rate, REPORT)
        sums = {name: float(sum_over_data_parallel(value.clone())) for name, value in result.sums.items()}
        return {**sums, "grad_norm": result.grad_norm}


def update_items(groups: Sequence[Sequence[Rollout]], config: RlConfig) -> list[Weighted]:
    """The responses of an update with their advantages and the weights of their tokens, over all ranks."""
    rewards = torch.tensor([[one.judged.reward for one in group] for group in groups], dtype=torch.float64)
    advantages = group_advantages(rewards, config.advantage_epsilon).view(-1)
    rollouts = [one for group in groups for one in group]
    lengths = torch.tensor([len(one.response.tokens) for one in rollouts])
    weights = token_weights(lengths, rewards.shape[1], config.token_normalisation)
    return weigh(rollouts, advantages, weights)
