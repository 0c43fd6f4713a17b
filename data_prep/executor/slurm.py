"""Tasks as job arrays of Slurm, submitted from here and waited for."""

from __future__ import annotations

import hashlib
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datatrove.executor import SlurmPipelineExecutor
from datatrove.pipeline.base import PipelineStep

from data_prep.errors import DataError, UsageError
from data_prep.executor.failure import SLURM_LOGS, says_why, task_failure, task_log
from data_prep.executor.options import read_options

_FIRST_POLL_S, _LONGEST_POLL_S = 0.5, 15.0
_USUAL_ARRAY_SIZE = 1001
"""Slurm's default."""
_SILENCE_S = 600.0
"""How long squeue may fail: a controller is restarted now and then."""
_GRACE_S = 30.0
"""How long after a job's end the marks of its tasks may take to show up on a network file system."""


def run_on_slurm(
    name: str,
    pipeline: Sequence[PipelineStep],
    tasks: int,
    workers: int | None,
    folder: Path,
    given: Mapping[str, str],
) -> None:
    """Submits the tasks that are left and waits for them; Ctrl-C cancels them.

    Jobs that an earlier command has left behind are waited for first, or cancelled if they work on something else.

    Raises:
        DataError: a task failed, or Slurm doesn't answer any more.
        UsageError: Slurm isn't here, or refuses the job.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    arrays = _arrays(_job_name(name, folder), pipeline, tasks, workers, folder, given)
    queue = _Queue(arrays.job_name)
    if not _left(arrays):
        return
    try:
        if queue.holds_jobs():
            if not (folder / "executor.pik").is_file():
                queue.cancel()
            _wait(arrays, queue)
        _submit(arrays, folder)
        _wait(arrays, queue)
    except KeyboardInterrupt:
        queue.cancel()
        raise
    if left := _settled(arrays, folder):
        raise task_failure(folder, left, tasks)


class _Arrays(SlurmPipelineExecutor):  # type: ignore[misc]
    def launch_merge_stats(self) -> None:
        """Nothing: datatrove's job that adds up statistics would stay in the queue for ever after a failure."""

    def get_sbatch_args(self, max_array: int = 1) -> dict[str, Any]:
        arguments = super().get_sbatch_args(max_array)
        return {key: value for key, value in arguments.items() if value or key not in ("partition", "time")}


class _Queue:
    """The user's jobs of one name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._answered = -math.inf

    def holds_jobs(self) -> bool:
        """Whether some wait or run. True while Slurm doesn't answer any more, for a time."""
        done = _call("squeue", "--noheader", f"--user={os.getuid()}", f"--name={self._name}")
        if done.returncode == 0:
            self._answered = time.monotonic()
            return bool(done.stdout.strip())
        if time.monotonic() - self._answered > _SILENCE_S:
            raise DataError(
                f"squeue fails: {done.stderr.strip()}",
                place="--executor slurm",
                remedy="see `sinfo`; jobs go on, and the same command finds them again",
            )
        return True

    def cancel(self) -> None:
        _call("scancel", f"--user={os.getuid()}", f"--name={self._name}")


def _arrays(
    job_name: str,
    pipeline: Sequence[PipelineStep],
    tasks: int,
    workers: int | None,
    folder: Path,
    given: Mapping[str, str],
) -> _Arrays:
    options, others = read_options("slurm", given)
    options["max_array_size"] = options["max_array_size"] or _max_array_size()
    programs = shlex.quote(str(Path(sys.executable).parent))
    options["env_command"] = options["env_command"] or f"export PATH={programs}:$PATH"
    return _Arrays(
        list(pipeline),
        tasks=tasks,
        workers=workers or -1,
        job_name=job_name,
        logging_dir=str(folder),
        mail_type="NONE",
        sbatch_args=others,
        # srun gives a step one core, and its memory, unless it is told
        srun_args={"cpus-per-task": options["cpus_per_task"]},
        **options,
    )


def _job_name(name: str, folder: Path) -> str:
    """The same for every call on this folder, and for no other folder."""
    return f"prism-data-{name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"


def _max_array_size() -> int:
    config = _call("scontrol", "show", "config").stdout
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", config, re.MULTILINE)
    return int(found[1]) if found else _USUAL_ARRAY_SIZE


def _submit(arrays: _Arrays, folder: Path) -> None:
    if "SLURM_ARRAY_TASK_ID" in os.environ:
        raise UsageError(
            "this is itself a task of a job array", place="--executor slurm", remedy="call it on a login node"
        )
    for rank in _left(arrays):
        task_log(folder, rank).unlink(missing_ok=True)  # an earlier failure's
    shutil.rmtree(folder / SLURM_LOGS, ignore_errors=True)
    try:
        arrays.run()
    except subprocess.CalledProcessError as problem:
        raise UsageError(
            f"sbatch refused the job (exit code {problem.returncode}; its reason is above)",
            place=str(folder / "launch_script.slurm"),
            remedy="correct --option; partitions are listed by `sinfo`",
        ) from None


def _wait(arrays: _Arrays, queue: _Queue) -> None:
    """Until every task is marked as done, or no job is left."""
    pause = _FIRST_POLL_S
    while _left(arrays) and queue.holds_jobs():
        time.sleep(pause)
        pause = min(1.5 * pause, _LONGEST_POLL_S)


def _settled(arrays: _Arrays, folder: Path) -> list[int]:
    """The tasks that aren't done, once that is certain."""
    until = time.monotonic() + _GRACE_S
    while (left := _left(arrays)) and not says_why(folder, left) and time.monotonic() < until:
        time.sleep(_FIRST_POLL_S)
    return left


def _left(arrays: _Arrays) -> list[int]:
    ranks: list[int] = arrays.get_incomplete_ranks()
    return ranks


def _call(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UsageError(
            f"{command[0]} isn't here", place="--executor slurm", remedy="call it on a login node of the cluster"
        ) from None
