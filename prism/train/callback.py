"""What is done beside training: validation, the retention gate, metrics, trackers; each a callback.

The loop calls every callback in its order. What a callback adds to `row` is what metrics.jsonl and the callbacks after
it see. Its state goes into every checkpoint and comes back on resume.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from prism.megatron.trainee import Trainee
    from prism.recipe import MidtrainConfig, Recipe


class Training(Protocol):
    """What a callback may know of the stage in training, and do to it. All ranks hold one."""

    @property
    def recipe(self) -> Recipe: ...
    @property
    def stage(self) -> str: ...
    @property
    def config(self) -> MidtrainConfig: ...
    @property
    def folder(self) -> Path: ...
    @property
    def trainee(self) -> Trainee: ...

    def switch_blend(self, step: int, blend: str, reason: str) -> None:
        """From the step after `step` on the samples come from `blend`; the event goes into checkpoint and manifest."""

    def back_to(self, step: int) -> int | None:
        """Makes the newest checkpoint of `step` or before the stage's last; returns its step, None if there is none.

        Later ones are moved to `checkpoints/refused/`.
        """


class Callback:
    """Does nothing; a subclass overrides what it needs. Every rank has its own and all are called together."""

    name: ClassVar[str]
    """Names its state in checkpoints."""

    def begin(self, training: Training, step: int) -> None:
        """Before the first step, weights in place; `step` are done. After `restore` where there is a state."""

    def before_step(self, step: int) -> None:
        """Before step `step` (from 1) takes its batch."""

    def after_step(self, step: int, row: dict[str, Any]) -> None:
        """After step `step` and before a checkpoint of it. `row` is the line of metrics.jsonl: add to it.

        Raises:
            GateRefused: the stage must not go on.
        """

    def state(self) -> dict[str, Any]:
        """Plain JSON values that `restore` understands; the same on every rank."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` returned when the checkpoint was saved."""

    def end(self) -> None:
        """When training is over, also after an error."""
