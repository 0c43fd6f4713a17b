"""A run's graph as batch jobs: which nodes still have something to do, and what each needs of the cluster."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from prism.errors import BadInput, UsageError
from prism.launch.slurm.job import Job
from prism.pipeline.decide import judge, measure_inputs
from prism.pipeline.links import Node
from prism.pipeline.manifest import Manifest
from prism.pipeline.node import file_name
from prism.pipeline.run import LONE_KINDS, processes_of
from prism.recipe import ClusterConfig, Recipe
from prism.recipe.engines import trained_by_nemo

_IN_ARRAYS = ("evaluate", "analyze")


def unfinished(graph: Mapping[str, Node], manifest: Manifest) -> dict[str, Node]:
    """Nodes that aren't finished and unchanged, and all that need one of them."""
    left: dict[str, Node] = {}
    for name, node in graph.items():
        if any(need in left for need in node.needs) or not _is_done(node, manifest):
            left[name] = node
    return left


def build_jobs(recipe: Recipe, nodes: Mapping[str, Node]) -> list[Job]:
    """A job a node; evaluations and analyses that may begin at the same time are an array.

    Args:
        nodes: what there is to do, in an order in which it could be done. A need that isn't among them is done.

    Raises:
        UsageError: a stage's processes don't fill whole nodes.
    """
    groups = _groups(nodes)
    job_of = {node: name for name, members in groups.items() for node in members}
    jobs = []
    for name, members in groups.items():
        first = nodes[members[0]]
        needs = dict.fromkeys(job_of[need] for node in members for need in nodes[node].needs if need in nodes)
        jobs.append(_job(recipe, name, members, tuple(needs), first))
    return jobs


def _is_done(node: Node, manifest: Manifest) -> bool:
    try:
        return judge(node, manifest, measure_inputs(node, manifest)).what == "skip"
    except BadInput:
        return False


def _groups(nodes: Mapping[str, Node]) -> dict[str, tuple[str, ...]]:
    """The nodes of each job, by the job's name; a job comes after those that it needs."""
    levels: dict[str, int] = {}
    together: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for name, node in nodes.items():
        levels[name] = 1 + max((levels[need] for need in node.needs if need in nodes), default=0)
        if node.kind in _IN_ARRAYS:
            together[node.kind, levels[name]].append(name)
    groups: dict[str, tuple[str, ...]] = {}
    for name in sorted(nodes, key=lambda name: levels[name]):
        kind, level = nodes[name].kind, levels[name]
        members = together.get((kind, level), [name])
        if len(members) > 1:
            groups[f"{kind}-{level}"] = tuple(members)
        else:
            groups[file_name(name)] = (name,)
    return groups


def _job(recipe: Recipe, name: str, members: Sequence[str], needs: tuple[str, ...], node: Node) -> Job:
    cluster = recipe.cluster_config(node.name) if node.name in recipe.pipeline else recipe.cluster
    processes, devices = processes_of(recipe, node), node.kind not in LONE_KINDS
    machines, each = _spread(processes, cluster, node.name)
    slurm = cluster.slurm
    image = slurm.container
    if trained_by_nemo(recipe, node.name):
        image = recipe.training_config(node.name).nemo.container
    return Job(
        name,
        tuple(members),
        needs,
        machines,
        each,
        devices,
        image,
        slurm.partition if devices else slurm.cpu_partition or slurm.partition,
        slurm,
        {"OMP_NUM_THREADS": str(recipe.run.threads)},
    )


def _spread(processes: int, cluster: ClusterConfig, node: str) -> tuple[int, int]:
    """Machines, and processes on each."""
    each = cluster.devices_per_node
    if processes <= each:
        return 1, processes
    if processes % each:
        raise UsageError(
            f"{node}: {processes} processes don't fill nodes of {each}",
            place="cluster.processes",
            remedy="take whole nodes, or set cluster.devices_per_node",
        )
    return processes // each, each
