"""Runs a recipe's graph in its run directory, and says at the end what there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.files import read_json, write_text
from prism.errors import PrismError, Requeue
from prism.launch import ForkserverLauncher, Launcher, TorchrunLauncher
from prism.launch.leave import asked_to_leave
from prism.launch.slurm.launched import require_idle
from prism.nemo.training.environment import check_nemo_for
from prism.pipeline.graph import build_graph, select
from prism.pipeline.links import Node
from prism.pipeline.lock import run_lock
from prism.pipeline.manifest import Manifest
from prism.pipeline.node import RECIPE_FILE, run_node
from prism.pipeline.progress import open_display
from prism.pipeline.reuse import Reuse
from prism.pipeline.scheduler import Outcome, Task, critical_path, run_tasks
from prism.pipeline.work import RunWork, Tally
from prism.recipe import Recipe
from prism.recipe.compose import dump

# Rough relative durations; they only decide what starts first.
_COST = {
    "data": 1.0,
    "pretrain": 10.0,
    "midtrain": 10.0,
    "rl": 10.0,
    "difficulty": 5.0,
    "evaluate": 3.0,
    "landscape": 5.0,
}
LONE_KINDS = ("data", "prompts", "import", "merge", "report")
"""Kinds of nodes that one process does, without a device."""


class RunFailed(PrismError):
    """A node failed; the run leaves with that node's exit code."""

    def __init__(self, outcome: Outcome, directory: Path) -> None:
        waiting = f"; not run because of it: {', '.join(outcome.not_run)}" if outcome.not_run else ""
        super().__init__(
            f"{', '.join(outcome.failed)} failed{waiting}",
            place=str(directory),
            remedy="see the lines above, mend it and call the same command again: what is finished is skipped",
        )
        self.exit_code = outcome.exit_code  # type: ignore[misc]


@dataclass(frozen=True)
class RunReport:
    """What a run left behind. `summary` is summary.json, None where the report has not been part of the run."""

    directory: Path
    tally: Tally
    summary: dict[str, Any] | None


def run(recipe: Recipe, *, only: Sequence[str] | None = None, reuse_from: Sequence[Path] = ()) -> RunReport:
    """Runs the nodes that `only` names (all by default) and what they need; skips what is finished and unchanged.

    What a run in `reuse_from` finished with the same keys on the same inputs is taken from there.

    Raises:
        UsageError: `only` names no node, or another process runs in the directory, or jobs of it are queued.
        BadInput: a file that the recipe names is missing, or the manifest is another release's.
        RunFailed: a node failed.
        Requeue: SIGTERM or SIGUSR1 (Slurm's warning) came; what ran has saved itself.
    """
    directory = recipe.run_directory
    graph = select(build_graph(recipe), only)
    with run_lock(directory), asked_to_leave() as leave:
        require_idle(directory)
        manifest = Manifest.load(directory)
        if not reuse_from:  # what is reused isn't trained here
            check_nemo_for(recipe, (name for name in graph if not _is_finished(manifest, name)))
        write_text(directory / RECIPE_FILE, dump(recipe.model_dump(mode="json", by_alias=True)))
        display = open_display()
        work = RunWork(
            graph, manifest, _launcher(recipe), display, Reuse(reuse_from), lambda node: processes_of(recipe, node)
        )
        try:
            tasks = _tasks(recipe, graph)
            workers = max(recipe.run.workers, *(task.slots for task in tasks))
            outcome = run_tasks(tasks, work, workers, leave)
            work.tell_skipped()
        finally:
            display.close()
            manifest.save()
    if outcome.asked_to_leave and set(outcome.failed.values()) <= {Requeue.exit_code}:
        raise Requeue(
            "asked to leave; what ran has saved itself",
            place=str(directory),
            remedy="call the same command again: it goes on from there",
        )
    if outcome.failed:
        raise RunFailed(outcome, directory)
    summary = directory / "summary.json"
    return RunReport(
        directory,
        work.tally,
        read_json(summary) if "report" in graph and summary.exists() else None,
    )


def _is_finished(manifest: Manifest, node: str) -> bool:
    record = manifest.nodes.get(node)
    return record is not None and record.status == "finished"


def _tasks(recipe: Recipe, graph: dict[str, Node]) -> list[Task]:
    needs = {name: node.needs for name, node in graph.items()}
    priority = critical_path(needs, lambda name: _COST.get(graph[name].kind, 1.0))
    return [Task(name, node.needs, priority[name], processes_of(recipe, node)) for name, node in graph.items()]


def processes_of(recipe: Recipe, node: Node) -> int:
    """How many processes a node is spread over. Data, prompts, import, merge and report need only one."""
    if node.kind in LONE_KINDS:
        return 1
    return (recipe.cluster_config(node.name) if node.name in recipe.pipeline else recipe.cluster).processes


def _launcher(recipe: Recipe) -> Callable[[Node], Launcher]:
    """One process is forked from a warm server; several are started by torchrun.

    A process that wants several threads is started afresh too: OpenMP's threads don't work after a fork.
    """
    environment = {
        "OMP_NUM_THREADS": str(recipe.run.threads),
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "20000",
        "TOKENIZERS_PARALLELISM": "false",
    }
    alone = ForkserverLauncher(run_node, preload=["prism.pipeline.preload"], environment=environment)

    def launcher(node: Node) -> Launcher:
        processes = processes_of(recipe, node)
        if node.kind in LONE_KINDS or (processes == 1 and recipe.run.threads == 1):
            return alone
        return TorchrunLauncher("prism.pipeline.node", processes, environment=environment)

    return launcher
