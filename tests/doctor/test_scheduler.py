"""Slurm, Enroot and Pyxis by what their programs say."""

from __future__ import annotations

from pathlib import Path

import pytest

from prism.doctor import Machine, Row, Verdict, held_to
from prism.doctor.scheduler import scheduler

SINFO = "gpu 12 idle\ngpu 3 mixed-\ncpu 2 down*\n"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path with nothing on it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, says: str, code: int = 0) -> None:
    (folder / name).write_text(
        f"#!/bin/sh\nwhile read -r line; do echo \"$line\"; done <<'END'\n{says}\nEND\nexit {code}\n"
    )
    (folder / name).chmod(0o755)


def rows(partition: str | None = None, timeout_s: float = 10) -> dict[str, Row]:
    return {row.name: row for row in scheduler(Machine(timeout_s=timeout_s), partition)}


@pytest.mark.usefixtures("programs")
def test_a_machine_without_slurm_is_no_fault_until_slurm_is_required() -> None:
    found = rows()
    assert {row.verdict for row in found.values()} == {Verdict.UNNEEDED}
    held = {row.name: row for row in held_to(list(found.values()), ["slurm"])}
    assert held["slurm"].verdict is Verdict.FAILS
    assert held["enroot"].verdict is Verdict.UNNEEDED
    assert "login node" in held["slurm"].remedy


def test_a_slurm_that_answers_is_told_by_version_partitions_and_nodes(programs: Path) -> None:
    program(programs, "sbatch", "slurm 24.05.4")
    program(programs, "sinfo", SINFO)
    program(programs, "srun", "  --container-image=[USER@][REGISTRY#]IMAGE[:TAG]|PATH")
    program(programs, "enroot", "3.5.0")
    found = rows()
    assert found["slurm"].found == "slurm 24.05.4; cpu, gpu: 15 nodes idle or at work"
    assert {row.verdict for row in found.values()} == {Verdict.OK}


def test_a_partition_that_is_not_there_fails_with_those_that_are(programs: Path) -> None:
    program(programs, "sbatch", "slurm 24.05.4")
    program(programs, "sinfo", SINFO)
    row = rows("h100")["slurm"]
    assert row.verdict is Verdict.FAILS
    assert row.found == "no partition h100; there are cpu, gpu"


@pytest.mark.parametrize(
    ("says", "code", "found"),
    [
        ("slurm_load_partitions: Unable to contact slurm controller", 1, "Unable to contact slurm controller"),
        ("cpu 2 down*", 0, "0 nodes"),
    ],
)
def test_a_slurm_that_takes_no_jobs_is_not_usable(programs: Path, says: str, code: int, found: str) -> None:
    program(programs, "sbatch", "slurm 24.05.4")
    program(programs, "sinfo", says, code)
    row = rows()["slurm"]
    assert row.verdict is Verdict.UNNEEDED
    assert found in row.found


def test_a_program_that_hangs_is_not_waited_for(programs: Path) -> None:
    program(programs, "sbatch", "slurm 24.05.4")
    (programs / "sinfo").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    (programs / "sinfo").chmod(0o755)
    assert rows(timeout_s=0.3)["slurm"].found == "no answer in 0.3 s"


def test_an_srun_without_the_plugin_is_told(programs: Path) -> None:
    program(programs, "srun", "--nodes")
    assert "plugstack.conf" in rows()["pyxis"].remedy
