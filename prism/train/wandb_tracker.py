"""Metrics for Weights & Biases."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping

from prism.train.callback import Training
from prism.train.trackers import tracking


class WandbTracker:
    """An offline run in `wandb/` of the stage's folder, for `wandb sync`; WANDB_MODE=online sends it at once.

    A stage has one run id for good. W&B drops steps that a run has already, so a resume repeats none.
    """

    def __init__(self, training: Training) -> None:
        wandb = tracking("wandb")
        training.folder.mkdir(parents=True, exist_ok=True)
        place = hashlib.sha256(str(training.folder.resolve()).encode()).hexdigest()
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "prism"),
            name=f"{training.recipe.run.name}/{training.stage}",
            id=place[:16],
            dir=str(training.folder),
            mode=os.environ.get("WANDB_MODE", "offline"),
            resume="allow",
            config=training.config.model_dump(mode="json"),
            settings=wandb.Settings(console="off", silent=True, x_disable_stats=True),
        )

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """W&B writes in a process of its own."""
        self._run.log(dict(scalars), step=step)

    def close(self) -> None:
        self._run.finish()
