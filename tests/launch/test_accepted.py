"""Scripts before a real Slurm with a stand-in for pyxis: accepted, in the right image, kept off unfit machines."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from data_prep.files import read_jsonl
from prism.launch.slurm.render import render
from tests.launch.launched import launched
from tests.launch.scripts import CLUSTERS, jobs_on
from tests.slurm.small_slurm import SmallSlurm, missing, small_slurm

pytestmark = [
    pytest.mark.skipif("PRISM_TEST_SLURM" not in os.environ, reason="starts daemons: part of `make test-slurm`"),
    pytest.mark.skipif(bool(missing()), reason=f"Slurm isn't installed: no {', '.join(missing())}"),
    pytest.mark.xdist_group("slurm"),
]

STUB = Path(__file__).with_name("pyxis_stub.c")
NODES = 4


@pytest.fixture(scope="module")
def pyxis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("pyxis") / "pyxis_stub.so"
    subprocess.run(["gcc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(built), str(STUB)], check=True)
    return built


@pytest.fixture(scope="module")
def slurm(pyxis: Path) -> Iterator[SmallSlurm]:
    """Nodes of the size that the shipped clusters speak of."""
    with small_slurm(NODES, gpus=8, plugin=pyxis, cores=128, memory_mib=1_000_000) as environment:
        yield environment


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_sbatch_accepts_every_script(slurm: SmallSlurm, cluster: str, tmp_path: Path) -> None:
    jobs = jobs_on(cluster, tmp_path, "llama_3_1_8b/math", f"cluster.processes={8 * NODES}")
    assert len(jobs) > 5
    for job in jobs:
        script = tmp_path / f"{job.name}.sbatch"
        script.write_text(render(job, tmp_path / "run", tmp_path))
        asked = subprocess.run(
            ["sbatch", "--test-only", str(script)], env=slurm, capture_output=True, text=True, check=False
        )
        assert asked.returncode == 0, f"{job.name}: {asked.stderr}"


def test_sbatch_would_refuse_more_than_there_is(slurm: SmallSlurm, tmp_path: Path) -> None:
    """The test above can fail."""
    job = next(job for job in jobs_on("slurm_pyxis", tmp_path) if job.name == "mid")  # 16 nodes
    script = tmp_path / "mid.sbatch"
    script.write_text(render(job, tmp_path / "run", tmp_path))
    asked = subprocess.run(["sbatch", "--test-only", str(script)], env=slurm, capture_output=True, check=False)
    assert asked.returncode != 0


def test_processes_run_in_the_image_with_the_runs_folder(slurm: SmallSlurm, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "in $STUB_IMAGE with $STUB_MOUNTS at $STUB_WORKDIR: $*"\nexit 10\n')
    python.chmod(0o755)
    job = next(job for job in jobs_on("slurm_pyxis", tmp_path) if job.name == "data")
    settings = job.slurm.model_copy(update={"python": str(python)})
    run = tmp_path / "run"
    (run / "launch" / "logs").mkdir(parents=True)
    script = tmp_path / "data.sbatch"
    script.write_text(render(replace(job, image="nvcr.io#nvidia/x:1", slurm=settings), run, tmp_path))
    subprocess.run(["sbatch", "--wait", str(script)], env=slurm, capture_output=True, check=True)
    (log,) = (run / "launch" / "logs").iterdir()
    said = log.read_text()
    assert f"in nvcr.io#nvidia/x:1 with {tmp_path}:{tmp_path},/shared:/shared at {tmp_path}: " in said
    assert f"-m prism.pipeline.step begin {run} data" in said


def test_a_machine_without_its_device_is_left_out(slurm: SmallSlurm, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "nvidia-smi").write_text('#!/bin/sh\n[ "$SLURMD_NODENAME" = n1 ] && exit 9\necho "GPU 0: a stand-in"\n')
    (tools / "nvidia-smi").chmod(0o755)
    run = launched(slurm, tmp_path / "work", "cluster.slurm.gpus=true")
    script = run.folder / "recipe.yaml"
    script.write_text(
        script.read_text().replace("GLOO_SOCKET_IFNAME", f"PATH: {tools}:/usr/bin:/bin\n      GLOO_SOCKET_IFNAME")
    )
    run.launch()
    run.finish()
    tried = list(read_jsonl(run.directory / "logs" / "base.attempts.jsonl"))
    assert [attempt["machines"] for attempt in tried] == ["n[1-2]", "n[2-3]"], run.everything_said()
    assert tried[-1]["code"] == 0
    said = "".join(log.read_text() for log in (run.directory / "launch" / "logs").glob("base-*"))
    assert "left out from now on: n1" in said
