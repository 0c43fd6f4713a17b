"""The training loop: batch, step, callbacks, checkpoint; again until the last step, or until it is asked to leave."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prism.errors import Requeue
from prism.megatron.agreement import on_any_rank
from prism.megatron.parallel import is_first_rank
from prism.megatron.schedule import learning_rate
from prism.steplog import StepLog
from prism.train.callback import Callback
from prism.train.events import Events
from prism.train.loss import REPORT, NextTokenLoss, losses
from prism.train.stored import StoredSteps

if TYPE_CHECKING:
    from prism.megatron.blend import BlendedBatches
    from prism.megatron.trainee import Trainee
    from prism.recipe import MidtrainConfig, Recipe
    from prism.train.signals import StopRequest
    from prism.train.throughput import Throughput

log = logging.getLogger("prism.train")

OpenBatches = Callable[[Events], "BlendedBatches"]
"""Batches of the stage, by the blend changes that happened in it."""


class TrainingLoop:
    """One stage in training; what callbacks know as `prism.train.callback.Training`."""

    def __init__(
        self,
        recipe: Recipe,
        stage: str,
        trainee: Trainee,
        open_batches: OpenBatches,
        callbacks: Sequence[Callback],
        throughput: Throughput,
        stop: StopRequest,
    ) -> None:
        self.recipe = recipe
        self.stage = stage
        self.config: MidtrainConfig = recipe.training_config(stage)
        self.folder: Path = recipe.stage_directory(stage)
        self.trainee = trainee
        self._open_batches = open_batches
        self._callbacks = callbacks
        self._throughput = throughput
        self._stop = stop
        self._stored = StoredSteps(self.folder / "checkpoints", self.config.checkpoint)
        self._events = Events(self.folder / "events.json")

    def run(self, done: int, state: Mapping[str, Any]) -> None:
        """Trains from step `done` + 1 on; `state` is what the checkpoint of step `done` keeps of the loop.

        Raises:
            GateRefused: a callback refused to go on.
            Requeue: a signal asked the process to leave; step and state are saved.
            ResourcesExhausted: the last checkpoint can't be written.
        """
        self._events.restore(state.get("events", ()))
        self._open()
        saved: Mapping[str, Any] = state.get("callbacks", {})
        for callback in self._callbacks:
            if callback.name in saved:
                callback.restore(saved[callback.name])
        with ExitStack() as stack:
            stack.callback(lambda: self._batches.close())
            stack.enter_context(self._stored)
            for callback in self._callbacks:
                stack.callback(callback.end)
            metrics = stack.enter_context(
                StepLog(self.folder / "metrics.jsonl", resume_after=done, enabled=is_first_rank())
            )
            for callback in self._callbacks:
                callback.begin(self, done)
            self._throughput.start()
            for step in range(done + 1, self.config.steps + 1):
                self._one_step(step, metrics)

    def _open(self) -> None:
        self._batches = self._open_batches(self._events)
        self._loss = NextTokenLoss(len(self._batches.names))

    def _one_step(self, step: int, metrics: StepLog) -> None:
        config = self.config
        for callback in self._callbacks:
            callback.before_step(step)
        began = time.perf_counter()
        batches = self._batches.global_batch(step - 1)
        self._throughput.waited_for_data(time.perf_counter() - began)
        if batches[0].ends is not None:
            self._throughput.packed([batch.ends for batch in batches if batch.ends is not None])
        rate = learning_rate(step, config.steps, config.optimizer.learning_rate, config.schedule)
        result = self.trainee.step(batches, self._loss, rate, REPORT)
        tokens = step * config.global_batch_size * config.sequence_length
        row: dict[str, Any] = {"step": step, "tokens": tokens, **losses(result, self._batches.names)}
        row |= {"grad_norm": result.grad_norm, "learning_rate": rate}
        if result.skipped:
            row["skipped"] = True
        row["timing"] = self._throughput.lap(step, config.steps)
        for callback in self._callbacks:
            callback.after_step(step, row)
        metrics.append(row)
        self._stored.poll()
        leave = on_any_rank(self._stop.requested)
        last = step == config.steps
        if last or leave or step % config.checkpoint.every_steps == 0:
            self._stored.save(self.trainee, step, self._state(step, tokens), wait=last or leave)
        if leave and not last:
            raise Requeue(
                f"{self.stage}: saved after step {step} of {config.steps}, as {self._stop.signal_name} asked",
                place=str(self.folder / "checkpoints"),
                remedy="start the same command again: it goes on from there",
            )

    def _state(self, step: int, tokens: int) -> dict[str, Any]:
        return {
            "tokens": tokens,
            "sequences": step * self.config.global_batch_size,
            "events": self._events.plain(),
            "callbacks": {callback.name: state for callback in self._callbacks if (state := callback.state())},
        }

    def switch_blend(self, step: int, blend: str, reason: str) -> None:
        """See `prism.train.callback.Training`."""
        log.warning("%s: after step %d the blend is %s: %s", self.stage, step, blend, reason)
        self._events.switch(step, blend, reason)
        self._batches.close()
        self._open()

    def back_to(self, step: int) -> int | None:
        """See `prism.train.callback.Training`."""
        return self._stored.back_to(step)
