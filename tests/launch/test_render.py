"""Scripts: those of every shipped cluster as they were reviewed, without a warning of shellcheck, without a secret."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from prism.errors import UsageError
from prism.launch.slurm.client import submit
from prism.launch.slurm.launched import write_scripts
from prism.launch.slurm.render import render
from tests.launch.scripts import CLUSTERS, GOLDEN, RUN, WORKDIR, jobs_on, scripts_on


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_scripts_are_those_that_were_reviewed(cluster: str, tmp_path: Path) -> None:
    reviewed = {file.stem: file.read_text() for file in (GOLDEN / cluster).glob("*.sbatch")}
    assert scripts_on(cluster, tmp_path) == reviewed, "if this is meant: python -m tests.launch.scripts, and read them"


def test_shellcheck_has_nothing_to_say(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    for cluster in CLUSTERS:
        for job in jobs_on(cluster, tmp_path):
            for kind in ("none", "nvrx"):
                slurm = job.slurm.model_copy(update={"resiliency": kind})
                array = replace(job, slurm=slurm, nodes=(*job.nodes, "evaluate:x"))
                for number, one in enumerate((replace(job, slurm=slurm), array)):
                    file = tmp_path / "scripts" / f"{cluster}-{job.name}-{kind}-{number}.sh"
                    file.write_text(render(one, RUN, WORKDIR))
    files = [str(file) for file in (tmp_path / "scripts").iterdir()]
    checked = subprocess.run(
        [str(Path(sys.executable).with_name("shellcheck")), *files], capture_output=True, text=True, check=False
    )
    assert checked.stdout == ""
    assert checked.returncode == 0


def test_a_job_of_many_nodes_asks_for_whole_ones(tmp_path: Path) -> None:
    script = scripts_on("slurm_pyxis", tmp_path)["mid"]
    assert "#SBATCH --nodes=16\n#SBATCH --ntasks-per-node=8\n" in script
    assert "#SBATCH --gpus-per-node=8\n#SBATCH --exclusive\n" in script


def test_data_takes_no_device_and_its_own_partition(tmp_path: Path) -> None:
    script = scripts_on("slurm_pyxis", tmp_path)["data"]
    assert "#SBATCH --partition=cpu\n" in script
    assert "--gpus-per-node" not in script and "--exclusive" not in script


def test_evaluations_that_may_begin_together_are_an_array(tmp_path: Path) -> None:
    jobs = {job.name: job for job in jobs_on("slurm_bare", tmp_path, "miniature", "cluster.devices_per_node=1")}
    array = next(job for job in jobs.values() if job.is_array and job.name.startswith("evaluate-"))
    assert {"evaluate:mid", "evaluate:mid_math"} <= set(array.nodes)
    assert {"mid", "mid_math"} <= set(array.needs)
    script = render(array, RUN, WORKDIR)
    assert f"#SBATCH --array=0-{len(array.nodes) - 1}\n" in script and "%A_%a.log" in script


def test_names_of_secrets_are_asked_for_and_values_stand_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_not_for_everyone")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    jobs = jobs_on("slurm_pyxis", tmp_path)
    scripts = write_scripts(jobs, tmp_path / "run", tmp_path)
    for script in scripts.values():
        assert "hf_not_for_everyone" not in script.read_text()
    with pytest.raises(UsageError, match="WANDB_API_KEY"):
        submit(scripts["mid"], [], jobs[0].slurm.secrets)


def test_processes_that_leave_a_node_half_full_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="12 processes don't fill nodes of 8"):
        jobs_on("slurm_pyxis", tmp_path, "llama_3_1_8b/math", "cluster.processes=12", "midtrain.global_batch_size=120")


def test_a_folder_that_no_script_can_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="white space"):
        write_scripts(jobs_on("slurm_bare", tmp_path), tmp_path / "my run", tmp_path)
