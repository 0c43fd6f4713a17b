"""A run as Slurm jobs: submitted, looked at, cancelled."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.files import write_text
from prism.errors import PrismError, UsageError
from prism.launch.slurm.client import Queued, cancel
from prism.launch.slurm.launched import Submitted, in_queue, launch_folder, read_launch, require_idle, submit_chain
from prism.launch.slurm.render import render
from prism.pipeline.attempts import Attempt, read_attempts
from prism.pipeline.goodput import Goodput, goodput
from prism.pipeline.graph import build_graph, select
from prism.pipeline.jobs import build_jobs, unfinished
from prism.pipeline.lock import run_lock
from prism.pipeline.manifest import Manifest
from prism.pipeline.node import RECIPE_FILE, log_file, read_result
from prism.pipeline.progress import duration, read_progress
from prism.recipe import Recipe, load_recipe
from prism.recipe.compose import dump


@dataclass(frozen=True)
class NodeState:
    """A node of a launched run, in words. `held` is the time that jobs have had machines for it."""

    node: str
    state: str
    job: str = ""
    machines: str = ""
    held: str = ""
    goodput: str = ""
    note: str = ""


def preview(recipe: Recipe, only: Sequence[str] | None) -> Iterator[tuple[str, str]]:
    """Name and script of every job that would be submitted if nothing were finished."""
    graph = select(build_graph(recipe), only)
    for job in build_jobs(recipe, graph):
        yield f"{job.name}.sbatch", render(job, recipe.run_directory.resolve(), Path.cwd())


def launch_on_slurm(recipe: Recipe, only: Sequence[str] | None) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Submits what isn't finished; Slurm's number and the nodes of each job, by its name.

    Raises:
        UsageError: jobs of the run are queued, another process runs in its folder, or Slurm refuses a job.
    """
    directory = recipe.run_directory.resolve()
    graph = select(build_graph(recipe), only)
    with run_lock(directory):
        require_idle(directory)
        manifest = Manifest.load(directory)
        jobs = build_jobs(recipe, unfinished(graph, manifest))
        manifest.save()
        write_text(directory / RECIPE_FILE, dump(recipe.model_dump(mode="json", by_alias=True)))
        numbers = submit_chain(jobs, directory, Path.cwd())
    return {job.name: (numbers[job.name], job.nodes) for job in jobs}


def node_states(directory: Path) -> list[NodeState]:
    """Every node of the run, in the graph's order.

    Raises:
        UsageError: there is no run in `directory`.
    """
    recipe = _recipe_of(directory)
    manifest, submitted = Manifest.load(directory), read_launch(directory)
    queue = in_queue(directory) if submitted else {}
    states = []
    for name, node in build_graph(recipe).items():
        tried = read_attempts(directory, name)
        record = manifest.nodes.get(name)
        job = submitted.get(name)
        share = goodput(tried, directory / "stages" / name / "metrics.jsonl", _now_if(name in queue))
        figures = {"job": _number(job), "held": _held(share), "goodput": _share(share)}
        if name in queue:
            states.append(NodeState(name, **_queued(directory, name, queue[name], node.steps), **figures))
        elif record is not None and record.status == "finished":
            states.append(NodeState(name, "done", machines=_machines(tried), **figures))
        else:
            states.append(NodeState(name, **_ended(directory, name, tried, job), **figures))
    return states


def node_logs(directory: Path, node: str | None) -> list[Path]:
    """The logs of a node, its own first; without a name those of every node that failed.

    Raises:
        UsageError: the run has no such node, or it has no log.
    """
    submitted = read_launch(directory)
    names = [node] if node is not None else [one.node for one in node_states(directory) if one.state == "failed"]
    files = []
    for name in names:
        files.append(log_file(directory, name))
        if name in submitted:
            files.append(launch_folder(directory) / submitted[name].log)
    found = [file for file in files if file.exists()]
    if node is not None and not found:
        raise UsageError(f"no log of {node!r}", place=str(directory), remedy="see `prism launch status` for its nodes")
    return found


def follow_file(file: Path) -> None:
    """Prints what is added to `file`, until Ctrl-C."""
    with file.open(errors="replace") as handle:
        handle.seek(0, 2)
        while True:
            line = handle.readline()
            if line:
                print(line, end="", flush=True)
            else:
                time.sleep(0.5)


def cancel_run(directory: Path) -> list[str]:
    """Cancels the run's jobs; the nodes that were queued.

    Raises:
        PrismError: Slurm still holds some after two minutes.
    """
    queue = in_queue(directory)
    left = cancel(sorted({one.job for one in queue.values()}))
    if left:
        raise PrismError(
            f"still there: {', '.join(sorted({one.job for one in left}))}",
            place=str(directory),
            remedy="see `squeue`; call it again",
        )
    return list(queue)


def _recipe_of(directory: Path) -> Recipe:
    file = directory / RECIPE_FILE
    if not file.exists():
        raise UsageError("there is no run", place=str(directory), remedy="give the folder of a run, runs/NAME")
    return load_recipe(file)


def _queued(directory: Path, name: str, queued: Queued, steps: int | None) -> dict[str, str]:
    state = queued.state.lower()
    if queued.state == "RUNNING":
        shown = read_progress(name, 0.0, directory / "stages" / name / "metrics.jsonl", steps)
        note = f"step {shown.step}/{shown.steps}  {shown.value}" if shown.step is not None else ""
        return {"state": state, "machines": queued.machines, "note": note}
    return {"state": state, "note": queued.reason if queued.reason != "None" else ""}


def _ended(directory: Path, name: str, tried: Sequence[Attempt], job: Submitted | None) -> dict[str, str]:
    """A node that isn't queued and isn't done."""
    if not tried and job is not None and (launch_folder(directory) / job.log).exists():
        return {"state": "failed", "note": f"before it began; log: {launch_folder(directory) / job.log}"}
    if not tried:
        return {"state": "not run", "note": "what it needs failed, or was cancelled" if job is not None else ""}
    if tried[-1].code in (None, 85):
        return {"state": "unfinished", "note": "launch again: it goes on from its last checkpoint"}
    result = read_result(directory, name)
    error = f"{result.error}; " if result is not None and result.error else ""
    log = log_file(directory, name)
    if not log.exists() and job is not None:
        log = launch_folder(directory) / job.log
    return {"state": "failed", "note": f"{error}log: {log}"}


def _machines(tried: Sequence[Attempt]) -> str:
    return next((attempt.machines for attempt in reversed(tried) if attempt.machines), "")


def _number(job: Submitted | None) -> str:
    if job is None:
        return ""
    return job.job if job.index is None else f"{job.job}_{job.index}"


def _held(share: Goodput) -> str:
    return duration(share.held_s) if share.held_s else ""


def _share(share: Goodput) -> str:
    return f"{share.share:.0%}" if share.share is not None else ""


def _now_if(running: bool) -> float | None:
    return time.time() if running else None
