"""The scripts of shipped recipes on the shipped clusters, with folders that are the same everywhere.

python -m tests.launch.scripts      writes tests/launch/golden anew
"""

from __future__ import annotations

from pathlib import Path

import yaml

from prism.launch.slurm.job import Job
from prism.launch.slurm.render import render
from prism.pipeline.graph import build_graph
from prism.pipeline.jobs import build_jobs
from prism.recipe import load_recipe

GOLDEN = Path(__file__).parent / "golden"
CLUSTERS = ("slurm_pyxis", "slurm_bare")
RUN, WORKDIR = Path("/shared/prism/runs/llama_3_1_8b_math"), Path("/shared/prism")


def jobs_on(cluster: str, folder: Path, recipe: str = "llama_3_1_8b/math", *overrides: str) -> list[Job]:
    """Every job of a shipped recipe on a shipped cluster."""
    file = folder / f"{cluster}.yaml"
    file.write_text(yaml.safe_dump({"extends": [f"{recipe}.yaml", f"clusters/{cluster}.yaml"]}))
    loaded = load_recipe(file, overrides)
    return build_jobs(loaded, build_graph(loaded))


def scripts_on(cluster: str, folder: Path) -> dict[str, str]:
    return {job.name: render(job, RUN, WORKDIR) for job in jobs_on(cluster, folder)}


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        for one in CLUSTERS:
            for job, script in scripts_on(one, Path(name)).items():
                (GOLDEN / one).mkdir(parents=True, exist_ok=True)
                (GOLDEN / one / f"{job}.sbatch").write_text(script)
