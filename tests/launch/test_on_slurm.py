"""`prism launch --cluster slurm` on a real Slurm of four nodes: chains, faults, cancelling."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_prep.files import read_json
from tests.launch.launched import Launched, launched
from tests.slurm.small_slurm import SmallSlurm, missing, small_slurm

pytestmark = [
    pytest.mark.skipif("PRISM_TEST_SLURM" not in os.environ, reason="starts daemons: part of `make test-slurm`"),
    pytest.mark.skipif(bool(missing()), reason=f"Slurm isn't installed: no {', '.join(missing())}"),
    pytest.mark.xdist_group("slurm"),
]

STEPS = 300
LONGER = (f"pipeline.base.with.steps={STEPS}", "midtrain.checkpoint.every_steps=50")


@pytest.fixture(scope="module")
def slurm() -> Iterator[SmallSlurm]:
    with small_slurm(4) as environment:
        yield environment


@pytest.fixture(scope="module")
def undisturbed(slurm: SmallSlurm, tmp_path_factory: pytest.TempPathFactory) -> Launched:
    run = launched(slurm, tmp_path_factory.mktemp("undisturbed"), *LONGER)
    run.launch()
    run.finish()
    assert len(run.metrics("base")) == STEPS, run.everything_said()
    return run


def attempts(run: Launched) -> int:
    file = run.directory / "logs" / "base.attempts.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def test_the_miniature_is_a_chain_of_jobs_over_two_nodes(slurm: SmallSlurm, tmp_path: Path) -> None:
    run = launched(slurm, tmp_path)
    said = run.launch(only=("report",))
    assert [line.split()[1].rstrip(":") for line in said.splitlines()[:3]] == ["data", "base", "mid"]
    refused = run.launch(only=("report",), code=2)
    assert "jobs of data, base" in refused and "prism launch cancel" in refused
    assert "are queued" in run.prism("run", run.recipe, code=2)
    run.finish()
    status = run.prism("launch", "status", "runs/run")
    assert "failed" not in status and "not run" not in status, status + run.everything_said()
    nodes = read_json(run.directory / "manifest.json")["nodes"]
    assert {record["status"] for record in nodes.values()} == {"finished"} and "report" in nodes
    shares = [event["goodput"]["share"] for event in nodes["mid"]["events"] if "goodput" in event]
    assert len(shares) == 1 and 0 < shares[0] < 1
    assert (run.directory / "report.html").exists()
    assert "nothing to do" in run.launch(only=("report",))
    locally = run.prism("run", run.recipe)
    assert "skipped: unchanged: data, base" in locally


def test_a_node_that_dies_in_mid_training_costs_no_step(
    slurm: SmallSlurm, undisturbed: Launched, tmp_path: Path
) -> None:
    run = launched(slurm, tmp_path, *LONGER)
    run.launch()
    run.until(lambda: run.steps("base") >= 60)
    nodes = run.ask("squeue", "--noheader", "--states=RUNNING", "--format=%N").split()[0]
    victim = run.ask("scontrol", "show", "hostnames", nodes).split()[-1]
    slurm.kill_node(victim)
    run.finish()
    slurm.start_node(victim)
    run.ask("scontrol", "update", f"NodeName={victim}", "State=RESUME")
    assert attempts(run) == 2, run.everything_said()
    assert run.metrics("base") == undisturbed.metrics("base")


def test_a_time_limit_that_fires_costs_no_step(slurm: SmallSlurm, undisturbed: Launched, tmp_path: Path) -> None:
    run = launched(slurm, tmp_path, *LONGER, time_limit_minutes=2, warning_s=90)
    run.launch()
    run.until(lambda: run.steps("base") > 0 and "PENDING" in run.ask("squeue", "--noheader", "--format=%T"))
    # Slurm warns up to a minute early, which here would be again and again
    run.ask("scontrol", "update", f"JobId={run.ask('squeue', '--noheader', '--format=%A').strip()}", "TimeLimit=60")
    run.finish()
    assert attempts(run) >= 2, run.everything_said()
    assert run.metrics("base") == undisturbed.metrics("base")
    assert "saved" in (run.directory / "logs" / "base.log").read_text()


def test_a_failing_stage_stops_what_needs_it_and_names_its_log(slurm: SmallSlurm, tmp_path: Path) -> None:
    run = launched(slurm, tmp_path)
    run.launch("--set", "pipeline.mid.with.trainable=attention", "--set", "kernels.scan=mamba_ssm", only=("report",))
    run.finish()
    status = run.prism("launch", "status", "runs/run")
    assert "failed" in status and "not run" in status
    logs = run.prism("launch", "logs", "runs/run")
    assert str(run.directory / "logs" / "base.log") in logs and "mamba_ssm" in logs
    assert not (run.directory / "stages" / "mid").exists()


def test_cancelling_leaves_nothing_running(slurm: SmallSlurm, tmp_path: Path) -> None:
    run = launched(slurm, tmp_path, "pipeline.base.with.steps=2000")
    run.launch(only=("report",))
    run.until(lambda: run.steps("base") >= 2)
    said = run.prism("launch", "cancel", "runs/run")
    assert "base" in said and "report" in said
    assert run.queue() == []
    left = [line for line in processes() if str(run.directory) in line]
    assert left == []
    assert "no job" in run.prism("launch", "cancel", "runs/run")
    assert "unfinished" in run.prism("launch", "status", "runs/run")


def test_a_sweep_is_an_array_after_what_its_runs_share(slurm: SmallSlurm, tmp_path: Path) -> None:
    alone = ("cluster.processes=1", "cluster.tensor_parallel=1")
    run = launched(slurm, tmp_path)
    (run.folder / "sweep.yaml").write_text(
        "title: Steps\nrecipe: recipe.yaml\n"
        "members:\n  few: {overrides: {pipeline.mid.with.steps: 4}}\n"
        "  more: {overrides: {pipeline.mid.with.steps: 8}}\n"
        "figures:\n  moved: {value: \"relative_l2('base', 'mid')\"}\nx: {value: mid.steps, label: steps}\n"
    )
    changed = [part for override in alone for part in ("--set", override)]
    said = run.prism("sweep", "run", "sweep.yaml", "--cluster", "slurm", *changed)
    assert said.splitlines()[1].split("  ")[1] == "few, more", said
    run.finish()
    reported = run.prism("sweep", "report", "sweep.yaml", *changed)
    assert "missing" not in reported, reported + run.everything_said()
    manifests = [read_json(file)["nodes"] for file in run.folder.glob("runs/*/*/manifest.json")]
    assert [nodes["mid"]["status"] for nodes in manifests] == ["finished", "finished"]
    assert len({nodes["base"]["started"] for nodes in manifests}) == 1  # one did it, the other took it


def processes() -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found
