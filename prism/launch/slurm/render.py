"""Jobs as scripts, from the template in slurm/."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import jinja2

from prism.launch.slurm.job import Job

TEMPLATES = Path(__file__).resolve().parents[3] / "slurm"
_TEMPLATE = "stage.sbatch.j2"
_RANKS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "20000", "TOKENIZERS_PARALLELISM": "false"}


def render(job: Job, run: Path, workdir: Path) -> str:
    """The script of a job.

    Args:
        run: the run's folder, which every machine sees under this path.
        workdir: where the recipe's relative paths begin.
    """
    slurm = job.slurm
    values: dict[str, Any] = {
        "name": f"{run.name}-{job.name}",
        "run_name": run.name,
        "what": _what(job),
        "run": str(run),
        "workdir": str(workdir),
        "log": f"{job.name}-%{'A_%a' if job.is_array else 'j'}",
        "nodes": list(job.nodes),
        "machines": job.machines,
        "processes": job.processes,
        "devices": job.devices and slurm.gpus,
        "exclusive": job.devices and slurm.exclusive,
        "cores": slurm.cpus_per_process if job.devices else slurm.cpu_job_cores,
        "partition": job.partition,
        "image": job.image,
        "mounts": ",".join(_mounts(job, run, workdir)),
        "environment": {**slurm.environment, **_RANKS, **job.environment},
        "slurm": slurm,
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = lambda value: shlex.quote(str(value))
    return environment.get_template(_TEMPLATE).render(values)


def _what(job: Job) -> str:
    if job.is_array:
        return f"Nodes {', '.join(job.nodes)}, an element of the array each,"
    return f"Node {job.nodes[0]}"


def _mounts(job: Job, run: Path, workdir: Path) -> list[str]:
    own = [f"{workdir}:{workdir}"]
    if not run.is_relative_to(workdir):
        own.append(f"{run}:{run}")
    return [*own, *job.slurm.mounts]
