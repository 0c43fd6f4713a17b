"""A step's rollouts: drawn, sampled, judged, refilled and journalled, or replayed from the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from prism.generate.protocol import Generator, Sampling
from prism.generate.sampling import sample_seed
from prism.megatron.checkpoint.ranks import first_ranks, from_all_ranks, is_first
from prism.megatron.parallel import data_parallel_rank, data_parallel_size, is_first_of_replica
from prism.prompts import PromptContract
from prism.rl.advantage import has_variance
from prism.rl.clock import StepClock
from prism.rl.journal import Journal
from prism.rl.prompts import PromptSampler, RlPrompt
from prism.rl.rollout import Rollout, judge_all, sample

if TYPE_CHECKING:
    from prism.recipe import RlConfig

_PURPOSE = 2
"""Sets the randomness of RL's rollouts apart from that of evaluation and difficulty."""


@dataclass(frozen=True)
class Collected:
    """A step's rollouts, the same on every rank.

    rollouts: of all prompts that were drawn; groups are contiguous.
    rounds: prompts of each round of draws.
    live: numbers of the groups that teach something.
    """

    rollouts: Sequence[Rollout]
    group_size: int
    rounds: tuple[int, ...]
    live: Sequence[int]
    replayed: bool

    @property
    def groups(self) -> int:
        return len(self.rollouts) // self.group_size

    def group(self, number: int) -> Sequence[Rollout]:
        return self.rollouts[number * self.group_size : (number + 1) * self.group_size]


class Collector:
    """Collects step after step. All ranks hold one and call it together.

    Args:
        sampler: moves on with every draw.
        seed: of the run.
    """

    def __init__(
        self,
        config: RlConfig,
        generator: Generator,
        contract: PromptContract,
        sampler: PromptSampler,
        journal: Journal,
        clock: StepClock,
        seed: int,
    ) -> None:
        self._config, self._generator, self._contract = config, generator, contract
        self._sampler, self._journal, self._clock, self._seed = sampler, journal, clock, seed
        self._sampling = Sampling(config.temperature, config.top_p, config.max_response_tokens, contract.stop_ids)

    def collect(self, step: int) -> Collected:
        """The rollouts of step `step`; they are on disk when this returns.

        Raises:
            BadInput: the step's journal is damaged or of other prompts.
            PrismError: generator or verifiers fail.
        """
        with self._clock.part("journal"):
            journalled = first_ranks(self._journal.read(step) if is_first() else None)
        if journalled is not None:
            prompts = [
                prompt
                for round, count in enumerate(journalled.rounds)
                for prompt in self._sampler.draw(step, round, count)
            ]
            return self._collected(journalled.rollouts(prompts, self._contract), journalled.rounds, replayed=True)
        rollouts: list[Rollout] = []
        rounds: list[int] = []
        missing = self._config.prompts_per_step
        for round in range(self._config.refill_rounds + 1):
            prompts = self._sampler.draw(step, round, missing)
            rollouts += self._round(step, sum(rounds), prompts)
            rounds.append(missing)
            missing = self._config.prompts_per_step - len(self._live(rollouts))
            if not missing:
                break
        with self._clock.part("journal"):
            if is_first():
                self._journal.write(step, rounds, rollouts)
            first_ranks(None)  # nobody trains before it is written
        return self._collected(rollouts, tuple(rounds), replayed=False)

    def _round(self, step: int, first: int, prompts: Sequence[RlPrompt]) -> list[Rollout]:
        """Samples and judges `prompts`, the step's from number `first` on; each replica takes its share."""
        rank, size = data_parallel_rank(), data_parallel_size()
        with self._clock.part("rollout"):
            sampled = sample(
                self._generator,
                self._contract,
                prompts[rank::size],
                self._config.responses_per_prompt,
                self._sampling,
                lambda number, of_prompt: sample_seed(
                    self._seed, _PURPOSE, step, first + rank + number * size, of_prompt
                ),
            )
        with self._clock.part("reward"):
            own = judge_all(sampled, self._config.rewards) if is_first_of_replica() else None
        with self._clock.part("gather"):
            shares = {replica: share for replica, share in from_all_ranks((rank, own)) if share is not None}
        groups = self._config.responses_per_prompt
        by_prompt: dict[int, Sequence[Rollout]] = {}
        for replica, rollouts in shares.items():
            for number in range(len(rollouts) // groups):
                by_prompt[replica + number * size] = rollouts[number * groups : (number + 1) * groups]
        return [rollout for number in range(len(prompts)) for rollout in by_prompt[number]]

    def _live(self, rollouts: Sequence[Rollout]) -> list[int]:
        rewards = torch.tensor([rollout.judged.reward for rollout in rollouts], dtype=torch.float64)
        return has_variance(rewards.view(-1, self._config.responses_per_prompt)).nonzero().squeeze(1).tolist()

    def _collected(self, rollouts: Sequence[Rollout], rounds: tuple[int, ...], *, replayed: bool) -> Collected:
        size = self._config.responses_per_prompt
        return Collected(rollouts, size, rounds, self._live(rollouts), replayed)
