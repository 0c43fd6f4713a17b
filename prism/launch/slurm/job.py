"""What a batch job is, before it is a script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prism.recipe.schema.slurm import SlurmConfig


@dataclass(frozen=True)
class Job:
    """One script. Several `nodes` of the graph make an array, an element each.

    needs: names of the jobs that must have succeeded.
    machines, processes: how many nodes of the cluster, and how many processes on each.
    devices: whether each process has a GPU.
    image: container image; None runs on the machine itself.
    environment: for every process, beside the cluster's own.
    """

    name: str
    nodes: tuple[str, ...]
    needs: tuple[str, ...]
    machines: int
    processes: int
    devices: bool
    image: str | None
    partition: str | None
    slurm: SlurmConfig
    environment: Mapping[str, str]

    @property
    def is_array(self) -> bool:
        return len(self.nodes) > 1
