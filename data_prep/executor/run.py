"""The choice of an executor, and steps run by it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from loguru import logger

from data_prep.executor.options import Kind, read_options


@dataclass(frozen=True)
class Executor:
    """Which executor, and how much of it.

    `workers` are the tasks that run at a time: by default as many as this machine has cores, and as many as the
    cluster lets. `options` are those of `data_prep.executor.options`.

    Raises:
        UsageError: an option is unknown, or its value isn't of its type.
    """

    kind: Kind = "local"
    workers: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        read_options(self.kind, self.options)  # refused before any work is done

    def run(self, name: str, pipeline: Sequence[PipelineStep], tasks: int, folder: Path) -> None:
        """Runs `pipeline` as `tasks` tasks and waits; tasks that `folder` marks as done are left out.

        Raises:
            DataError: a task failed; names the reason, and the log where it is a cluster's.
            UsageError: the executor isn't installed, or refuses an option.
        """
        match self.kind:
            case "local":
                _run_locally(pipeline, tasks, self._processes(tasks), folder)
            case "slurm":
                from data_prep.executor.slurm import run_on_slurm

                run_on_slurm(name, pipeline, tasks, self.workers, folder, self.options)
            case "ray":
                from data_prep.executor.ray import run_on_ray

                run_on_ray(pipeline, tasks, self.workers, folder, self.options)

    def alone(self, tasks: int) -> bool:
        """Whether a task has all cores of its machine for itself."""
        return self.kind == "local" and self._processes(tasks) == 1

    def _processes(self, tasks: int) -> int:
        return min(self.workers or len(os.sched_getaffinity(0)), tasks)


def _run_locally(pipeline: Sequence[PipelineStep], tasks: int, workers: int, folder: Path) -> None:
    logger.disable("datatrove")  # what it says of a failed task is a traceback; the error comes up to us
    # fork: the workers have everything imported; each takes half a second else
    LocalPipelineExecutor(
        list(pipeline), tasks=tasks, workers=workers, logging_dir=str(folder), start_method="fork"
    ).run()
