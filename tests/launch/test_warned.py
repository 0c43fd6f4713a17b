"""Slurm's warning reaches every process of a step: what starts ranks has to outlive it, in a stage and in a sweep."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_prep.files import read_jsonl
from prism.launch.slurm.launched import read_launch
from tests.launch.launched import launched
from tests.slurm.small_slurm import SmallSlurm, missing, small_slurm

pytestmark = [
    pytest.mark.skipif("PRISM_TEST_SLURM" not in os.environ, reason="starts daemons: part of `make test-slurm`"),
    pytest.mark.skipif(bool(missing()), reason=f"Slurm isn't installed: no {', '.join(missing())}"),
    pytest.mark.xdist_group("slurm"),
]

NVRX = os.environ.get("PRISM_TEST_NVRX", "")
"""A Python that has the extra `resiliency`."""
STEPS = 200
LONGER = (f"pipeline.base.with.steps={STEPS}", "midtrain.checkpoint.every_steps=1000")
_SMI = """#!/bin/bash
[[ "$SLURMD_NODENAME" == n1 ]] || echo "GPU 0: one that answers"
"""
SWEEP = """
title: Steps
recipe: recipe.yaml
members:
  few: {overrides: {pipeline.base.with.steps: 200, midtrain.checkpoint.every_steps: 1000}}
  fewer: {overrides: {pipeline.base.with.steps: 4}}
figures:
  moved: {value: "relative_l2('base', 'mid')"}
x: {value: base.steps, label: steps}
"""


@pytest.fixture(scope="module")
def slurm() -> Iterator[SmallSlurm]:
    with small_slurm(3, gpus=1) as environment:
        yield environment


@pytest.mark.parametrize("machines", [1, 2])
def test_a_machine_whose_gpu_does_not_answer_is_left_out(slurm: SmallSlurm, tmp_path: Path, machines: int) -> None:
    smi = tmp_path / "bin" / "nvidia-smi"
    smi.parent.mkdir()
    smi.write_text(_SMI)
    smi.chmod(0o755)
    layout = (f"cluster.processes={machines}", f"cluster.tensor_parallel={machines}")
    run = launched(slurm, tmp_path, *layout, gpus=True, prologue=[f"export PATH={smi.parent}:$PATH"])
    run.launch()
    run.finish()
    said = run.everything_said()
    assert "unfit: n1: 0 of 1 GPUs answer" in said and "left out from now on: n1" in said, said
    (row,) = [line for line in run.prism("launch", "status", "runs/run").splitlines() if line.startswith("base ")]
    assert "done" in row and "n1" not in row


def test_a_job_that_ends_before_its_node_begins_names_its_log(slurm: SmallSlurm, tmp_path: Path) -> None:
    run = launched(slurm, tmp_path, python="/no/python")
    run.launch()
    run.finish()
    status = " ".join(run.prism("launch", "status", "runs/run").split())
    assert "data failed" in status and "base not run" in status, status
    assert "/no/python: No such file" in run.prism("launch", "logs", "runs/run")


@pytest.mark.skipif(not NVRX, reason="PRISM_TEST_NVRX names no Python that has nvidia-resiliency-ext")
def test_ft_launcher_outlives_the_warning_and_its_ranks_save(slurm: SmallSlurm, tmp_path: Path) -> None:
    run = launched(slurm, tmp_path, *LONGER, resiliency="nvrx", python=NVRX)
    run.launch()
    run.until(lambda: run.steps("base") >= 25)
    run.ask("scancel", "--batch", "--signal=USR1", read_launch(run.directory)["base"].job)
    run.finish()
    tried = read_jsonl(run.directory / "logs" / "base.attempts.jsonl")
    assert [attempt["code"] for attempt in tried] == [85, 0], run.everything_said()
    assert len(run.metrics("base")) == STEPS
    assert "saved" in (run.directory / "logs" / "base.log").read_text(), "it began again from nothing"


@pytest.mark.parametrize("processes", [1, 2])
def test_a_member_of_a_sweep_saves_itself_when_it_is_warned(slurm: SmallSlurm, tmp_path: Path, processes: int) -> None:
    run = launched(slurm, tmp_path)
    (run.folder / "sweep.yaml").write_text(SWEEP)
    keys = (f"cluster.processes={processes}", f"cluster.tensor_parallel={processes}", "cluster.devices_per_node=2")
    changed = [part for key in keys for part in ("--set", key)]
    run.prism("sweep", "run", "sweep.yaml", "--cluster", "slurm", *changed)
    (directory,) = {file.parent for file in _metrics_of(run.folder, 25, run.until)}
    numbers = run.ask("squeue", "--noheader", "--states=RUNNING", "--format=%A").split()
    run.ask("scancel", "--batch", "--signal=USR1", *numbers)
    run.until(lambda: "PENDING" in run.ask("squeue", "--noheader", "--format=%T"))
    run.ask("scancel", *run.ask("squeue", "--noheader", "--format=%A").split())
    run.finish()
    log = (directory.parents[1] / "logs" / "base.log").read_text()
    assert "saved" in log and any((directory / "checkpoints").glob("step_*")), log[-3000:]


def _metrics_of(folder: Path, steps: int, until: object) -> list[Path]:
    def found() -> list[Path]:
        files = folder.glob("runs/**/stages/base/metrics.jsonl")
        return [file for file in files if file.read_bytes().count(b"\n") >= steps]

    until(found)  # type: ignore[operator]
    return found()
