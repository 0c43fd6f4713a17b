"""A few steps under torch's profiler."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.distributed as dist
from torch.profiler import ProfilerActivity, profile

from prism.recipe.schema.operation import ProfileConfig
from prism.train.callback import Callback, Training

log = logging.getLogger("prism.train")

_ROWS = 40


class Profiler(Callback):
    """Records some steps and leaves `profile/rankN.trace.json.gz` (for chrome://tracing or Perfetto) and `rankN.txt`.

    A rank whose table is there already records nothing: not after a resume, not in another run of the same folder.
    The recorded steps are slower than others.
    """

    name: ClassVar[str] = "profiler"

    def __init__(self, settings: ProfileConfig | None) -> None:
        self._settings = settings
        self._running: profile | None = None
        self._first: int | None = None

    def begin(self, training: Training, step: int) -> None:
        settings, rank = self._settings, dist.get_rank()
        self._folder: Path = training.folder / "profile"
        self._stem = f"rank{rank}"
        if settings is None or rank not in settings.ranks or self._table.exists():
            return
        self._first = max(settings.first_step, step + 1)
        self._last = min(self._first + settings.steps - 1, training.config.steps)

    def before_step(self, step: int) -> None:
        if step == self._first:
            activities = [ProfilerActivity.CPU]
            if torch.cuda.is_available():
                activities.append(ProfilerActivity.CUDA)
            self._running = profile(activities=activities, profile_memory=True)
            self._running.start()

    def after_step(self, step: int, row: dict[str, Any]) -> None:
        if self._running is not None and step == self._last:
            self._finish(self._running)

    def end(self) -> None:
        """Drops what an error cut short."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    @property
    def _table(self) -> Path:
        return self._folder / f"{self._stem}.txt"

    def _finish(self, running: profile) -> None:
        """A full disk doesn't end the training."""
        running.stop()
        self._running = None
        by = "self_cuda_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
        table = running.key_averages().table(sort_by=by, row_limit=_ROWS)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            running.export_chrome_trace(str(self._folder / f"{self._stem}.trace.json.gz"))
            self._table.write_text(f"Steps {self._first} to {self._last}\n\n{table}\n")
        except OSError as problem:
            log.warning("no profile of steps %d to %d: %s", self._first, self._last, problem)
            return
        log.info("profile of steps %d to %d: %s", self._first, self._last, self._table)
