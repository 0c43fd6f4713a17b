"""What was submitted for a run: `launch/launch.json` and the scripts beside it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.files import read_json, write_json, write_text
from prism.errors import UsageError
from prism.launch.slurm.client import Queued, cancel, queued, submit
from prism.launch.slurm.job import Job
from prism.launch.slurm.render import render

SCHEMA_VERSION = 1
_FOLDER, _FILE = "launch", "launch.json"


@dataclass(frozen=True)
class Submitted:
    """A job that Slurm took. `index` is the node's place in an array, None outside of arrays."""

    job: str
    index: int | None
    log: str


def launch_folder(run: Path) -> Path:
    return run / _FOLDER


def write_scripts(jobs: Sequence[Job], run: Path, workdir: Path) -> dict[str, Path]:
    """Writes a script a job into the run's launch folder, by the job's name.

    Raises:
        UsageError: a path can't stand in a script.
    """
    for path in (run, workdir):
        if any(character.isspace() or character in "%#\\" for character in str(path)):
            raise UsageError(
                "#SBATCH lines can't hold white space, '%' and '#'", place=str(path), remedy="use another folder"
            )
    (launch_folder(run) / "logs").mkdir(parents=True, exist_ok=True)
    scripts = {job.name: launch_folder(run) / f"{job.name}.sbatch" for job in jobs}
    for job in jobs:
        write_text(scripts[job.name], render(job, run, workdir))
    return scripts


def submit_chain(jobs: Sequence[Job], run: Path, workdir: Path) -> dict[str, str]:
    """Submits `jobs`, which come in an order in which they could run; returns Slurm's numbers by the jobs' names.

    Either all are submitted or none: when Slurm refuses one, those before it are cancelled.
    """
    scripts = write_scripts(jobs, run, workdir)
    numbers: dict[str, str] = {}
    try:
        for job in jobs:
            needs = [numbers[name] for name in job.needs]
            numbers[job.name] = submit(scripts[job.name], needs, job.slurm.secrets)
            _remember(jobs, run, numbers)
    except BaseException:
        cancel(list(numbers.values()))
        raise
    return numbers


def read_launch(run: Path) -> dict[str, Submitted]:
    """What was last submitted, by the graph's node; nothing where nothing was."""
    file = launch_folder(run) / _FILE
    return {name: Submitted(**entry) for name, entry in read_json(file)["nodes"].items()} if file.exists() else {}


def in_queue(run: Path) -> dict[str, Queued]:
    """Nodes whose jobs wait or run."""
    submitted = read_launch(run)
    found = {(one.job, one.index): one for one in queued({entry.job for entry in submitted.values()})}
    return {
        name: found[entry.job, entry.index] for name, entry in submitted.items() if (entry.job, entry.index) in found
    }


def require_idle(run: Path) -> None:
    """Raises UsageError where jobs of the run are queued; passes where nothing was launched or Slurm isn't there."""
    if not read_launch(run) or shutil.which("squeue") is None:
        return
    waiting = in_queue(run)
    if waiting:
        raise UsageError(
            f"jobs of {', '.join(waiting)} are queued",
            place=str(run),
            remedy="wait for them (prism launch status RUN), or take them out (prism launch cancel RUN)",
        )


def _remember(jobs: Sequence[Job], run: Path, numbers: Mapping[str, str]) -> None:
    nodes = {}
    for job in jobs:
        for index, node in enumerate(job.nodes):
            if (number := numbers.get(job.name)) is not None:
                log = f"{job.name}-{number}" + (f"_{index}" if job.is_array else "")
                nodes[node] = {"job": number, "index": index if job.is_array else None, "log": f"logs/{log}.log"}
    write_json(launch_folder(run) / _FILE, {"schema_version": SCHEMA_VERSION, "nodes": nodes})
