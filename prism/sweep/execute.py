"""Runs a sweep's jobs, some side by side, and tells what they tell; one that fails doesn't stop the others."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prism.errors import Requeue
from prism.launch.leave import asked_to_leave
from prism.launch.worker import stop_group
from prism.pipeline.progress import Display, NodeProgress, duration, read_progress
from prism.sweep.job import JobOrder
from prism.sweep.members import Sweep
from prism.sweep.plan import Job

_POLL_S = 0.1
_LOG = "sweep.log"
_QUIET = ("  running: ", "made:", "next:")


@dataclass
class _Running:
    job: Job
    process: subprocess.Popen[bytes]
    log: Path
    told: int
    began: float = field(default_factory=time.monotonic)


def execute(
    sweep: Sweep, jobs: Sequence[Job], side_by_side: int, display: Display, *, fail_fast: bool = False
) -> dict[str, int]:
    """Runs the jobs, at most `side_by_side` at once; returns the exit codes of those that failed, by job.

    What a job prints goes to the end of `sweep.log` in its run's folder, and to the display with the run's name.
    With `fail_fast` nothing starts after a failure; what runs may end.

    Raises:
        Requeue: SIGTERM or SIGUSR1 came; the jobs that ran were asked to save themselves.
    """
    waiting, running, ended, failed = list(jobs), list[_Running](), set[str](), dict[str, int]()
    with asked_to_leave() as leave:
        told_to_leave = False
        try:
            while running or (waiting and not leave() and not (fail_fast and failed)):
                if leave() and not told_to_leave:
                    told_to_leave = True
                    for entry in running:
                        entry.process.send_signal(signal.SIGTERM)
                while len(running) < side_by_side and not leave() and not (fail_fast and failed):
                    job = next((job for job in waiting if _ready(job, ended, running)), None)
                    if job is None:
                        break
                    waiting.remove(job)
                    running.append(_start(sweep, job))
                for entry in list(running):
                    code = entry.process.poll()
                    _tell(entry, display)
                    if code is not None:
                        running.remove(entry)
                        ended.add(entry.job.name)
                        if code != 0:
                            failed[entry.job.name] = code if code > 0 else 1
                        display.say(_ending(entry, code))
                display.show([_progress(entry) for entry in running])
                time.sleep(_POLL_S)
        finally:
            for entry in running:
                stop_group(entry.process.pid, entry.process.poll)
        if leave():
            raise Requeue(
                "asked to leave; what ran has saved itself",
                place=str(sweep.directory),
                remedy="call the same command again: it goes on from there",
            )
    return failed


def _ready(job: Job, ended: set[str], running: Sequence[_Running]) -> bool:
    """A run's folder holds one job at a time."""
    return job.after <= ended and job.planned.run.name not in {entry.job.planned.run.name for entry in running}


def _start(sweep: Sweep, job: Job) -> _Running:
    run = job.planned.run
    log = run.directory / _LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    others = tuple(str(other.directory) for other in sweep.runs if other.name != run.name)
    order = JobOrder(sweep.recipe, run.overrides, job.only, others, os.getpid())
    with log.open("ab") as handle:
        told = handle.tell()
        process = subprocess.Popen(
            order.command(), stdin=subprocess.DEVNULL, stdout=handle, stderr=subprocess.STDOUT, process_group=0
        )
    return _Running(job, process, log, told)


def _tell(entry: _Running, display: Display) -> None:
    """Whole lines that the job wrote since the last look."""
    with entry.log.open("rb") as handle:
        handle.seek(entry.told)
        new = handle.read()
    whole = new[: new.rfind(b"\n") + 1]
    entry.told += len(whole)
    for line in whole.decode(errors="replace").splitlines():
        if line.strip() and not line.startswith(_QUIET):
            display.say(f"{entry.job.planned.run.name}: {line}")


def _ending(entry: _Running, code: int) -> str:
    lasted = duration(time.monotonic() - entry.began)
    if code == 0:
        return f"{entry.job.name}: finished in {lasted}"
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"{entry.job.name}: failed ({how}) after {lasted}; log: {entry.log}"


def _progress(entry: _Running) -> NodeProgress:
    """Of the stage that wrote last since the job began."""
    run = entry.job.planned.run
    since = time.time() - (time.monotonic() - entry.began)
    seconds = time.monotonic() - entry.began
    logs = [path for path in run.directory.glob("stages/*/metrics.jsonl") if path.stat().st_mtime >= since]
    if not logs:
        return NodeProgress(run.name, seconds)
    newest = max(logs, key=lambda path: path.stat().st_mtime)
    stage = newest.parent.name
    node = entry.job.planned.nodes.get(stage)
    return read_progress(f"{run.name}/{stage}", seconds, newest, node.steps if node is not None else None)
