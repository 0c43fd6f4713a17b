"""A sweep as Slurm arrays: what several runs share first, then every run, an element and a machine each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data_prep.files import write_text
from prism.errors import UsageError
from prism.launch.slurm.client import cancel, submit
from prism.launch.slurm.render import render_runs
from prism.recipe import Recipe
from prism.sweep.members import Sweep
from prism.sweep.plan import Job, PlannedRun, jobs

_MANY = 2
"""Side by side: what they share is a job of its own."""


def launch_sweep(sweep: Sweep, planned: Sequence[PlannedRun]) -> dict[str, list[str]]:
    """Submits the arrays; the names of the jobs in each, by Slurm's number.

    Raises:
        UsageError: a run needs more than one machine, or Slurm refuses.
    """
    folder, workdir = sweep.directory.resolve() / "launch", Path.cwd()
    submitted: dict[str, list[str]] = {}
    try:
        for name, script in sweep_scripts(sweep, planned, workdir).items():
            file = folder / f"{name}.sbatch"
            (folder / "logs").mkdir(parents=True, exist_ok=True)
            write_text(file, script)
            settings = planned[0].run.recipe.cluster.slurm
            number = submit(file, list(submitted)[-1:], settings.secrets, even_if_failed=True)
            submitted[number] = [job.name for job in waves(planned)[len(submitted)]]
    except BaseException:
        cancel(list(submitted))
        raise
    return submitted


def sweep_scripts(sweep: Sweep, planned: Sequence[PlannedRun], workdir: Path) -> dict[str, str]:
    """The script of each array, by its name, in order."""
    for one in planned:
        _fits_a_machine(one.run.recipe)
    cluster, folder = planned[0].run.recipe.cluster, sweep.directory.resolve() / "launch"
    return {
        f"{sweep.name}-{number}": render_runs(
            f"{sweep.name}-{number}", [_arguments(sweep, job) for job in wave], cluster, folder, workdir
        )
        for number, wave in enumerate(waves(planned), start=1)
    }


def waves(planned: Sequence[PlannedRun]) -> list[list[Job]]:
    """Jobs that may begin together; those of a wave need only those of the waves before. A run is in a wave once."""
    found: list[list[Job]] = []
    place: dict[str, int] = {}
    for job in jobs(planned, _MANY):
        after = max((place[name] for name in job.after), default=-1) + 1
        while after < len(found) and any(other.planned.run.name == job.planned.run.name for other in found[after]):
            after += 1
        if after == len(found):
            found.append([])
        found[after].append(job)
        place[job.name] = after
    return found


def _arguments(sweep: Sweep, job: Job) -> list[str]:
    run = job.planned.run
    parts = ["run", sweep.recipe, *(part for key in run.overrides for part in ("--set", key))]
    parts += [part for node in job.only for part in ("--only", node)]
    others = [other for other in sweep.runs if other.name != run.name]
    return parts + [part for other in others for part in ("--reuse", str(other.directory))]


def _fits_a_machine(recipe: Recipe) -> None:
    most = max([recipe.cluster.processes, *(recipe.cluster_config(name).processes for name in recipe.pipeline)])
    if most > recipe.cluster.devices_per_node:
        raise UsageError(
            f"{recipe.run.name}: {most} processes don't fit a node of {recipe.cluster.devices_per_node}",
            place="cluster.processes",
            remedy="launch its runs one by one: `prism sweep show SWEEP --commands`, `prism launch` for `prism run`",
        )
