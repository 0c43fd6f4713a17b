"""Jobs as scripts, from the templates in slurm/."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from prism.launch.slurm.job import Job
from prism.recipe.schema.cluster import ClusterConfig
from prism.recipe.schema.slurm import SlurmConfig

TEMPLATES = Path(__file__).resolve().parents[3] / "slurm"
_RANKS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "20000", "TOKENIZERS_PARALLELISM": "false"}


def render(job: Job, run: Path, workdir: Path) -> str:
    """The script of a job.

    Args:
        run: the run's folder, which every machine sees under this path.
        workdir: where the recipe's relative paths begin.
    """
    slurm = job.slurm
    values = {
        **_common(slurm, run / "launch", [workdir, run], job.image),
        "name": f"{run.name}-{job.name}",
        "what": f"{_what(job)} of run {run.name}",
        "writer": "prism launch",
        "run": str(run),
        "workdir": str(workdir),
        "log": f"{job.name}-%{'A_%a' if job.is_array else 'j'}",
        "nodes": list(job.nodes),
        "elements": len(job.nodes),
        "machines": job.machines,
        "tasks": job.processes,
        "devices": job.processes if job.devices and slurm.gpus else 0,
        "exclusive": job.devices and slurm.exclusive,
        "cores": slurm.cpus_per_process if job.devices else slurm.cpu_job_cores,
        "partition": job.partition,
        "environment": {**slurm.environment, **_RANKS, **job.environment},
    }
    return _filled("stage.sbatch.j2", values)


def render_runs(
    name: str, commands: Sequence[Sequence[str]], cluster: ClusterConfig, folder: Path, workdir: Path
) -> str:
    """The script of an array whose elements are calls of `prism`, each on one machine with all its devices.

    Args:
        folder: of scripts and logs.
    """
    slurm = cluster.slurm
    values = {
        **_common(slurm, folder, [workdir, folder], slurm.container),
        "name": name,
        "what": f"Runs of {name}, an element of the array each",
        "writer": "prism sweep run",
        "workdir": str(workdir),
        "log": f"{name}-%{'A_%a' if len(commands) > 1 else 'j'}",
        "commands": [shlex.join(command) for command in commands],
        "elements": len(commands),
        "machines": 1,
        "tasks": 1,
        "devices": cluster.devices_per_node if slurm.gpus else 0,
        "exclusive": slurm.exclusive,
        "cores": None if slurm.cpus_per_process is None else slurm.cpus_per_process * cluster.devices_per_node,
        "partition": slurm.partition,
        "environment": {**slurm.environment, **_RANKS},
    }
    return _filled("sweep.sbatch.j2", values)


def _common(slurm: SlurmConfig, folder: Path, seen: Sequence[Path], image: str | None) -> dict[str, Any]:
    inside = [path for path in seen[1:] if not path.is_relative_to(seen[0])]
    mounts = [*(f"{path}:{path}" for path in (seen[0], *inside)), *slurm.mounts]
    return {"slurm": slurm, "folder": str(folder), "image": image, "mounts": ",".join(mounts)}


def _filled(template: str, values: dict[str, Any]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = lambda value: shlex.quote(str(value))
    return environment.get_template(template).render(values)


def _what(job: Job) -> str:
    return f"Nodes {', '.join(job.nodes)}, an element of the array each," if job.is_array else f"Node {job.nodes[0]}"
