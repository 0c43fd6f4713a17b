"""The job's folder, and its batch script with Slurm's commands stood in for."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prism.commands.aligner import write_aligner_job
from prism.errors import BadInput, UsageError
from tests.nemo.made import recipe, run_folder

SCRIPTS = ["aligner.sbatch", "convert.sh", "actor.sh", "rewards.sh"]


def test_the_folder_holds_settings_prompts_scripts_and_what_the_server_needs(job: Path) -> None:
    names = {path.relative_to(job).as_posix() for path in job.rglob("*") if path.is_file()}
    assert names == {
        *SCRIPTS,
        "README.md",
        "overrides.txt",
        "prompts/train.jsonl",
        "prompts/validation.jsonl",
        "prompts/rows.jsonl",
        "rewards.json",
        "tokenizer.json",
        "reward_server.py",
    }
    assert len((job / "prompts" / "train.jsonl").read_text().splitlines()) == 3 * 8
    assert "importance_cap" in (job / "README.md").read_text()


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_bash_that_shellcheck_has_nothing_against(job: Path, name: str) -> None:
    subprocess.run(["bash", "-n", job / name], check=True)
    found = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        pytest.skip("the dev extra brings shellcheck")
    done = subprocess.run([found, job / name], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_images_stand_on_srun_lines_and_comments_hide_nothing_in_sbatch_lines(job: Path) -> None:
    lines = (job / "aligner.sbatch").read_text().splitlines()
    options = [line for line in lines if line.startswith("#SBATCH")]
    assert all("#" not in line.removeprefix("#SBATCH") and "container" not in line for line in options)
    assert "#SBATCH --account=team" in options
    assert "actor_image='nvcr.io#nvidia/nemo:25.04'" in lines
    assert any(line.startswith("mounts=") and line.endswith(",/m:/m") for line in lines)


def test_without_an_image_the_server_runs_on_the_node(world: Path) -> None:
    done = write_aligner_job(recipe(world, "rl.aligner.rewards.container=null"), "rl", world / "plain")
    text = (done.folder / "aligner.sbatch").read_text()
    assert text.count("--container-image") == 2  # conversion and actor
    subprocess.run(["bash", "-n", done.folder / "aligner.sbatch"], check=True)


def test_a_job_may_be_written_again_but_not_over_something_else(world: Path, tmp_path: Path) -> None:
    first = write_aligner_job(recipe(world), "rl", tmp_path / "job").folder
    (first / "policy.nemo").write_text("converted")
    write_aligner_job(recipe(world, "rl.temperature=0.7"), "rl", first)
    assert "temperature=0.7" in (first / "overrides.txt").read_text()
    assert (first / "policy.nemo").read_text() == "converted"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(UsageError, match="something else"):
        write_aligner_job(recipe(world), "rl", tmp_path / "other")


def test_without_the_parents_export_the_command_names_what_to_run(tmp_path: Path) -> None:
    run_folder(tmp_path)
    shutil.rmtree(tmp_path / "miniature" / "stages" / "mid")
    with pytest.raises(BadInput, match="no Hugging Face folder") as error:
        write_aligner_job(recipe(tmp_path), "rl", tmp_path / "job")
    assert "--only mid" in error.value.remedy


SRUN = """#!/bin/bash
# Runs what FAKE_<step> says, and notes the arguments.
for argument; do case $argument in --job-name=*) name=${argument#--job-name=} ;; esac; done
echo "$name $*" >>"$FAKE/srun.log"
trap 'echo "$name terminated" >>"$FAKE/srun.log"; kill "$step"; exit 143' TERM
variable=FAKE_$name
bash -c "${!variable:-true}" >/dev/null 2>&1 &
step=$!
wait "$step"
"""


def batch_script(job: Path, folder: Path, **steps: str) -> subprocess.Popen[str]:
    """Starts the batch script with an srun whose steps do as told."""
    (folder / "srun").write_text(SRUN)
    (folder / "scontrol").write_text("#!/bin/bash\necho node7\necho node8\n")
    for name in ("srun", "scontrol"):
        (folder / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "FAKE": str(folder),
        "SLURM_JOB_ID": "1",
        "SLURM_JOB_NODELIST": "node[7-8]",
        **{f"FAKE_{name}": does for name, does in steps.items()},
    }
    return subprocess.Popen(
        ["bash", str(job / "aligner.sbatch")],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(script: subprocess.Popen[str], folder: Path) -> tuple[int, str, str]:
    """Exit code, what it said, what its steps noted."""
    try:
        _, said = script.communicate(timeout=60)
    finally:
        if script.poll() is None:
            os.killpg(script.pid, signal.SIGKILL)
    return script.returncode, said, (folder / "srun.log").read_text()


def test_when_the_actor_ends_the_server_is_ended_and_the_job_has_the_actors_code(job: Path, tmp_path: Path) -> None:
    for code in (0, 7):
        (tmp_path / str(code)).mkdir()
        script = batch_script(job, tmp_path / str(code), rewards="sleep 600", actor=f"sleep 0.5; exit {code}")
        found, _, log = ended(script, tmp_path / str(code))
        assert found == code
        assert "rewards terminated" in log
        assert "--nodelist=node7" in log and "--container-image=nvcr.io#nvidia/nemo:25.04" in log


def test_when_the_server_ends_the_actor_is_ended_and_the_job_fails(job: Path, tmp_path: Path) -> None:
    script = batch_script(job, tmp_path, rewards="sleep 0.5", actor="sleep 600")
    code, said, log = ended(script, tmp_path)
    assert code == 1
    assert "the server of rewards ended" in said and "actor terminated" in log


def test_a_failed_conversion_ends_the_job_before_anything_starts(job: Path, tmp_path: Path) -> None:
    code, said, log = ended(batch_script(job, tmp_path, convert="exit 3"), tmp_path)
    assert code == 3
    assert "conversion failed" in said and "actor" not in log


def test_a_signal_ends_both_steps(job: Path, tmp_path: Path) -> None:
    script = batch_script(job, tmp_path, rewards="sleep 600", actor="sleep 600")
    deadline = time.monotonic() + 30
    while "actor " not in ((tmp_path / "srun.log").read_text() if (tmp_path / "srun.log").exists() else ""):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.3)  # the script has reached its wait
    script.send_signal(signal.SIGTERM)
    code, said, log = ended(script, tmp_path)
    assert code == 143
    assert "submit the job again" in said
    assert "actor terminated" in log and "rewards terminated" in log
