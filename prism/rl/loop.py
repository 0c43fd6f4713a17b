"""The RL loop: rollouts, rewards, advantages, updates, reference, checkpoint; one step after the other."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prism.megatron import checkpoint
from prism.megatron.parallel import is_first_rank
from prism.megatron.schedule import learning_rate
from prism.megatron.trainee import Trainee
from prism.rl.clock import StepClock
from prism.rl.collect import Collected, Collector
from prism.rl.journal import Journal
from prism.rl.metrics import sample_rows, summarise
from prism.rl.placement import Placement
from prism.rl.prompts import PromptSampler
from prism.rl.reference import Reference
from prism.rl.trajectory import Trajectory
from prism.rl.update import Updated, Updater
from prism.steplog import StepLog

if TYPE_CHECKING:
    from prism.recipe import RlConfig


@dataclass(frozen=True)
class Progress:
    """Where a stage is: steps and optimizer updates done. Goes into checkpoints with the sampler's state."""

    step: int = 0
    updates: int = 0

    @classmethod
    def read(cls, saved: checkpoint.Checkpoint) -> Progress:
        return cls(saved.step, int(saved.state.get("updates", saved.step)))


class RlLoop:
    """Runs the steps of an RL stage. All ranks hold one and call it together.

    Args:
        reference: None where the loss has no KL.
        folder: of the stage.
    """

    def __init__(
        self,
        config: RlConfig,
        trainee: Trainee,
        reference: Reference | None,
        placement: Placement,
        collector: Collector,
        sampler: PromptSampler,
        journal: Journal,
        trajectory: Trajectory,
        clock: StepClock,
        folder: Path,
    ) -> None:
        self._config, self._trainee, self._reference = config, trainee, reference
        self._placement, self._collector, self._sampler = placement, collector, sampler
        self._journal, self._trajectory, self._clock, self._folder = journal, trajectory, clock, folder
        self._updater = Updater(config, trainee, reference, clock)

    def run(self, done: Progress) -> None:
        """Steps after `done` until the last."""
        config, first = self._config, is_first_rank()
        saver = checkpoint.Saver(self._folder / "checkpoints", config.checkpoint)
        self._trajectory.begin(self._trainee)
        self._placement.after_update(done.updates)
        with (
            closing(saver),
            StepLog(self._folder / "metrics.jsonl", resume_after=done.step, enabled=first) as metrics,
            StepLog(self._folder / "samples.jsonl", resume_after=done.step, enabled=first) as samples,
        ):
            updates = done.updates
            for step in range(done.step + 1, config.steps + 1):
                with self._clock.step(step):
                    row, collected, taken = self._step(step, updates)
                    updates += taken
                    with self._clock.part("save"):
                        if step % config.samples_every == 0:
                            for sample in sample_rows(step, collected.rollouts, config.samples_kept):
                                samples.append(sample)
                        self._trajectory.after_step(self._trainee, step)
                        self._save(saver, step, updates)
                    metrics.append({**row, "timing": self._timing(collected)})

    def _step(self, step: int, updates: int) -> tuple[dict[str, Any], Collected, int]:
        """One step; returns its metrics, its rollouts, and the number of updates."""
        config = self._config
        with self._placement.generating():
            collected = self._collector.collect(step)
        rate = learning_rate(step, config.steps, config.optimizer.learning_rate, config.schedule)
        updated = self._updater.update(collected, rate)
        if updated.updates:
            if self._reference is not None:
                with self._clock.part("reference"):
                    self._reference.follow(self._trainee, config.reference_update)
            with self._clock.part("sync"):
                self._placement.after_update(updates + updated.updates)
        row = {
            "step": step,
            **summarise(collected.rollouts, collected.group_size),
            **_groups(collected),
            **_trained(updated),
            "learning_rate": rate,
        }
        return row, collected, updated.updates

    def _save(self, saver: checkpoint.Saver, step: int, updates: int) -> None:
        config = self._config
        writing = saver.pending
        saver.poll()
        last = step == config.steps
        saves = last or step % config.checkpoint.every_steps == 0
        if saves:
            saver.save(
                self._trainee.chunks,
                self._trainee.optimizer,
                step,
                {"kind": "rl", "prompts": self._sampler.state(), "updates": updates},
                frozen=None if self._reference is None else {"reference": self._reference.kept},
                wait=last,
            )
        if is_first_rank() and (writing or saves) and not saver.pending:  # there is a new one
            newest = checkpoint.complete(self._folder / "checkpoints")
            if newest:
                self._journal.forget_until(checkpoint.read(newest[-1]).step)

    def _timing(self, collected: Collected) -> Mapping[str, Any]:
        seconds = self._clock.seconds()
        tokens = sum(len(rollout.response.tokens) for rollout in collected.rollouts)
        speed = (
            {} if collected.replayed else {"rollout_tokens_per_second": tokens / max(seconds["rollout_seconds"], 1e-9)}
        )
        return {"seconds": round(sum(seconds.values()), 4), **seconds, **speed, "replayed": collected.replayed}


def _groups(collected: Collected) -> dict[str, Any]:
    """What became of the groups; `live_groups` is a share."""
    return {
        "groups": collected.groups,
        "live_groups": len(collected.live) / collected.groups,
        "skipped_groups": collected.groups - len(collected.live),
        "refill_rounds": len(collected.rounds) - 1,
    }


def _trained(updated: Updated) -> dict[str, Any]:
    """The updates' figures under the names of the metrics; none where nothing was trained on."""
    means = updated.means or {}
    return {
        "updates": updated.updates,
        "loss": updated.loss,
        "grad_norm": updated.grad_norm,
        "kl": means.get("kl"),
        "entropy": means.get("entropy"),
        "mismatch": means.get("mismatch"),
        "importance": means.get("importance"),
        "truncated_share": means.get("truncated"),
        "clip_share": means.get("clipped"),
    }
