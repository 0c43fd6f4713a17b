"""metrics.jsonl of a stage that NeMo trains: its loss, grad norm and learning rate under our names."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from prism.steplog import StepLog

_NAMES = {"reduced_train_loss": "loss", "grad_norm": "grad_norm", "lr": "learning_rate"}


class StepMetrics(pl.Callback):  # type: ignore[misc]
    """A line after every step, from the last rank: there NeMo has the loss, whatever the pipeline."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._log: StepLog | None = None
        self._began = 0.0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        last = trainer.global_rank == trainer.world_size - 1
        self._log = StepLog(self._path, resume_after=int(trainer.global_step), enabled=last)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self._began = time.monotonic()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        assert self._log is not None  # Lightning calls on_train_start first
        found = {ours: trainer.callback_metrics.get(theirs) for theirs, ours in _NAMES.items()}
        values = {name: float(value) for name, value in found.items() if value is not None}
        seconds = round(time.monotonic() - self._began, 4)
        self._log.append({"step": int(trainer.global_step), **values, "seconds": seconds})
