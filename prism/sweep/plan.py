"""What a sweep would run: the nodes of every run, and which of them an earlier run has done alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from data_prep.files import fingerprint
from prism.pipeline.budgets import BlendUse, blend_uses
from prism.pipeline.graph import build_graph, lock_path, select
from prism.pipeline.links import Node
from prism.recipe import TRAINING_KINDS
from prism.sweep.figures import nodes_of
from prism.sweep.members import Sweep, SweepRun


@dataclass(frozen=True)
class PlannedRun:
    """A run with its nodes. `taken` tells which nodes another run (its name) does first.

    Data that are prepared from the same sources count as taken: only the blends are locked anew.
    """

    run: SweepRun
    wanted: tuple[str, ...]
    nodes: Mapping[str, Node]
    taken: Mapping[str, str]

    @property
    def steps(self) -> int:
        """Optimizer steps of the nodes that aren't taken."""
        return sum(node.steps or 0 for name, node in self.nodes.items() if name not in self.taken)

    @property
    def tokens(self) -> int:
        """Tokens of the training stages that aren't taken."""
        training = [name for name, node in self.nodes.items() if node.kind in TRAINING_KINDS and name not in self.taken]
        return sum(self.run.recipe.training_config(name).tokens for name in training)


@dataclass(frozen=True)
class Job:
    """A call of `prism.pipeline.run`: some nodes of a run, after other jobs have ended, however they ended."""

    name: str
    planned: PlannedRun
    only: tuple[str, ...]
    after: frozenset[str] = field(default_factory=frozenset)


def plan(sweep: Sweep, runs: Sequence[SweepRun] | None = None) -> list[PlannedRun]:
    """Every run (or those given) with what it does itself and what it takes from the runs before it.

    It is foretold from recipes; what is really taken is decided by content, when it runs.

    Raises:
        RecipeError: a figure can't be read from the recipe.
        UsageError: `only` names no node.
    """
    first: dict[str, str] = {}
    planned = []
    for run in sweep.runs if runs is None else runs:
        wanted = nodes_of(sweep, run)
        nodes = select(build_graph(run.recipe), wanted)
        keys = _keys(run, nodes)
        taken = {name: first[key] for name, key in keys.items() if key in first}
        first |= {key: run.name for key in keys.values() if key not in first}
        planned.append(PlannedRun(run, wanted, nodes, taken))
    return planned


def jobs(planned: Sequence[PlannedRun], side_by_side: int) -> list[Job]:
    """What to start, in order. Where runs go side by side, what several take is done before any of them starts."""
    if side_by_side == 1:
        return [Job(one.run.name, one, one.wanted) for one in planned]
    by_name = {one.run.name: one for one in planned}
    shared: dict[str, list[str]] = {}
    for one in planned:
        for node, owner in one.taken.items():
            if node not in (given := shared.setdefault(owner, [])):
                given.append(node)
    first = [
        Job(f"{name} ({', '.join(nodes)})", by_name[name], tuple(nodes), _owners(by_name[name], shared, nodes))
        for name, nodes in sorted(shared.items(), key=lambda entry: list(by_name).index(entry[0]))
    ]
    names = {job.planned.run.name: job.name for job in first}
    first = [Job(job.name, job.planned, job.only, frozenset(names[owner] for owner in job.after)) for job in first]
    rest = [
        Job(name, one, one.wanted, frozenset(names[owner] for owner in {name, *one.taken.values()} & set(names)))
        for name, one in by_name.items()
    ]
    return first + rest


def _owners(one: PlannedRun, shared: Mapping[str, Sequence[str]], nodes: Sequence[str]) -> frozenset[str]:
    """Other runs whose shared nodes these nodes need."""
    needed = select(one.nodes, nodes)
    return frozenset(owner for node, owner in one.taken.items() if node in needed and owner in shared)


def _keys(run: SweepRun, nodes: Mapping[str, Node]) -> dict[str, str]:
    """What each node will make, as a fingerprint of all that decides it."""
    recipe = run.recipe
    prepared = fingerprint(["data", recipe.data.model_dump(mode="json")])
    locks = {
        lock_path(use.blend, use.packing): fingerprint([prepared, recipe.run.seed, _pinned(use)])
        for use in blend_uses(recipe)
    }
    keys: dict[str, str] = {}
    for name, node in nodes.items():
        if node.kind == "data":
            keys[name] = prepared
            continue
        inputs = [[path, locks.get(path) or keys.get(_maker(path, node, nodes), path)] for path in node.inputs]
        keys[name] = fingerprint([name, node.kind, dict(node.section), sorted(inputs)])
    return {name: key for name, key in keys.items() if nodes[name].kind != "report"}


def _maker(path: str, node: Node, nodes: Mapping[str, Node]) -> str:
    """The node that makes an input; the input itself when it comes from outside."""
    for name in node.needs:
        if any(path == made or path.startswith(f"{made}/") for made in nodes[name].outputs):
            return name
    return path


def _pinned(use: BlendUse) -> list[object]:
    return [use.blend, use.packing.model_dump() if use.packing else None, use.tokens]
