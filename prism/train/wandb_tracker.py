"""Metrics for Weights & Biases."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from prism.train.callback import Training
from prism.train.trackers import tracking


class WandbTracker:
    """An offline run in `wandb/` of the stage's folder, for `wandb sync`; WANDB_MODE=online sends it at once.

    A stage has one run id for good. Steps that were sent before a resume aren't sent again.
    """

    def __init__(self, training: Training) -> None:
        wandb = tracking("wandb")
        folder = training.folder / "wandb"
        folder.mkdir(parents=True, exist_ok=True)
        self._sent = _LastStep(folder / "last_step")
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "prism"),
            name=f"{training.recipe.run.name}/{training.stage}",
            id=hashlib.sha256(str(training.folder.resolve()).encode()).hexdigest()[:16],
            dir=str(training.folder),
            mode=os.environ.get("WANDB_MODE", "offline"),
            resume="allow",
            config=training.config.model_dump(mode="json"),
            settings=wandb.Settings(console="off", silent=True, x_disable_stats=True),
        )

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """W&B writes in a process of its own."""
        if step > self._sent.step:
            self._run.log(dict(scalars), step=step)
            self._sent.set(step)

    def close(self) -> None:
        self._run.finish()
        self._sent.close()


class _LastStep:
    """A step's number in a file, which a kill leaves as it is."""

    def __init__(self, file: Path) -> None:
        text = file.read_text().strip() if file.exists() else ""
        self.step = int(text) if text.isdecimal() else 0
        self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o644)

    def set(self, step: int) -> None:
        self.step = step
        os.pwrite(self._descriptor, b"%-12d" % step, 0)

    def close(self) -> None:
        os.close(self._descriptor)
