"""Where the steps run: on this machine, on Slurm, or on Ray, through datatrove's executors."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from datatrove.executor import LocalPipelineExecutor, RayPipelineExecutor, SlurmPipelineExecutor
from datatrove.executor.base import PipelineExecutor
from datatrove.pipeline.base import PipelineStep
from loguru import logger

from data_prep.errors import DataError, UsageError

_POLL_S = 2.0


@dataclass(frozen=True)
class Executor:
    """Which executor, and how much of it. `options` go to datatrove's Slurm executor (partition, time, qos ...)."""

    kind: Literal["local", "slurm", "ray"] = "local"
    workers: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    options: dict[str, Any] = field(default_factory=dict)

    def run(self, name: str, pipeline: Sequence[PipelineStep], tasks: int, folder: Path) -> None:
        """Runs `pipeline` as `tasks` tasks and waits; tasks that `folder` marks as done are left out.

        Raises:
            DataError: a task failed, with the reason where it was a bad input.
            UsageError: the executor isn't installed, or an option is missing.
        """
        workers = min(self.workers, tasks)
        if self.kind == "local":
            logger.disable("datatrove")  # what it says of a failed task is a traceback; the error comes up to us
            _local(pipeline, tasks, workers, folder).run()
            return
        executor = self._ray(pipeline, tasks, workers, folder) if self.kind == "ray" else None
        executor = executor or self._slurm(name, pipeline, tasks, folder)
        executor.run()
        _wait(executor, folder)

    def alone(self, tasks: int) -> bool:
        """Whether a task has all cores of its machine for itself."""
        return self.kind == "local" and min(self.workers, tasks) == 1

    def _ray(self, pipeline: Sequence[PipelineStep], tasks: int, workers: int, folder: Path) -> PipelineExecutor:
        try:
            import ray  # noqa: F401
        except ImportError:
            raise UsageError(
                "Ray isn't installed", place="--executor ray", remedy="pip install 'prism-megatron[ray]'"
            ) from None
        return RayPipelineExecutor(
            list(pipeline), tasks=tasks, workers=workers, logging_dir=str(folder), **self.options
        )

    def _slurm(self, name: str, pipeline: Sequence[PipelineStep], tasks: int, folder: Path) -> PipelineExecutor:
        options = {"mail_type": "NONE", "job_name": f"prism-data-{name}", **self.options}
        missing = [key for key in ("partition", "time") if key not in options]
        if missing:
            raise UsageError(
                f"Slurm needs {' and '.join(missing)}",
                place="--executor slurm",
                remedy="add --option partition=NAME --option time=HH:MM:SS",
            )
        return SlurmPipelineExecutor(
            list(pipeline), tasks=tasks, workers=self.workers, logging_dir=str(folder.resolve()), **options
        )


def _local(pipeline: Sequence[PipelineStep], tasks: int, workers: int, folder: Path) -> LocalPipelineExecutor:
    # fork: the workers have everything imported; each takes half a second else
    return LocalPipelineExecutor(
        list(pipeline), tasks=tasks, workers=workers, logging_dir=str(folder), start_method="fork"
    )


def _wait(executor: PipelineExecutor, folder: Path) -> None:
    """Until every task is marked as done, or the job has gone."""
    job = str(getattr(executor, "job_id", "") or "")
    while left := executor.get_incomplete_ranks(skip_completed=True):
        if job and not _is_queued(job) and executor.get_incomplete_ranks(skip_completed=True):
            raise DataError(
                f"{len(left)} of {executor.world_size} tasks failed (first: {left[0]})",
                place=str(folder / "logs"),
                remedy="read the task's log there, mend the cause, and run the same command again: it goes on",
            )
        time.sleep(_POLL_S)


def _is_queued(job: str) -> bool:
    found = subprocess.run(["squeue", "--noheader", "--jobs", job], capture_output=True, text=True, check=False)
    return found.returncode == 0 and bool(found.stdout.strip())
