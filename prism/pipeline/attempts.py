"""When a node's work began and ended, each time it was tried: `logs/<node>.attempts.jsonl`, a line a try.

A try that was killed leaves no end. The next one closes it with the last sign of life: the newest of the node's log and
metrics.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from data_prep.files import read_jsonl, write_jsonl
from prism.pipeline.node import file_name, log_file


@dataclass(frozen=True)
class Attempt:
    """A try.

    began, ended: seconds since 1970; `ended` None while it runs, or where it was killed and not tried again.
    code: exit code; None where it was killed.
    processes: how many worked on it.
    job: Slurm's number of the job, None on one's own machine.
    machines: the job's nodes.
    """

    began: float
    processes: int
    ended: float | None = None
    code: int | None = None
    job: str | None = None
    machines: str | None = None


def attempts_file(run_directory: Path, node: str) -> Path:
    return run_directory / "logs" / f"{file_name(node)}.attempts.jsonl"


def read_attempts(run_directory: Path, node: str) -> list[Attempt]:
    """All tries of the node, oldest first."""
    file = attempts_file(run_directory, node)
    return [_attempt(row) for row in read_jsonl(file)] if file.exists() else []


def begin_attempt(run_directory: Path, node: str, processes: int, since: float | None = None) -> None:
    """Notes a try that begins now, or began at `since`."""
    tried = read_attempts(run_directory, node)
    if tried and tried[-1].ended is None:
        tried[-1] = replace(tried[-1], ended=_last_sign(run_directory, node, tried[-1].began))
    began = time.time() if since is None else since
    job, machines = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_JOB_NODELIST")
    _write(run_directory, node, [*tried, Attempt(began, processes, job=job, machines=machines)])


def end_attempt(run_directory: Path, node: str, code: int) -> None:
    """Notes how the newest try ended."""
    tried = read_attempts(run_directory, node)
    if tried:
        _write(run_directory, node, [*tried[:-1], replace(tried[-1], ended=time.time(), code=code)])


def _write(run_directory: Path, node: str, tried: Sequence[Attempt]) -> None:
    write_jsonl(attempts_file(run_directory, node), [asdict(attempt) for attempt in tried])


def _last_sign(run_directory: Path, node: str, began: float) -> float:
    files = [log_file(run_directory, node), run_directory / "stages" / node / "metrics.jsonl"]
    return max([began, *(file.stat().st_mtime for file in files if file.exists())])


def _attempt(row: dict[str, Any]) -> Attempt:
    return Attempt(**row)
