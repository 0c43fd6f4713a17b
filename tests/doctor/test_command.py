"""`prism doctor` on this machine, and with faults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from prism.commands import doctor
from prism.errors import UsageError


def call(*arguments: str) -> Result:
    app = typer.Typer()
    doctor.register(app)
    return CliRunner().invoke(app, list(arguments))


def verdicts(result: Result) -> dict[str, str]:
    return {row["name"]: row["verdict"] for row in json.loads(result.output)}


def test_this_machine_is_good_for_a_laptops_use(tmp_path: Path) -> None:
    result = call("--json", "--folder", str(tmp_path))
    assert result.exit_code == 0, result.output
    found = verdicts(result)
    assert found["torch"] == found["attention"] == found["disk space"] == "ok"
    assert "disk speed" in found
    assert len(found) == len(json.loads(result.output))  # every row has a name of its own
    assert list(tmp_path.iterdir()) == []


def test_what_is_required_and_not_there_fails_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = call("--quick", "--json", "--require", "slurm, mamba_ssm")
    assert result.exit_code == 1
    assert {name for name, verdict in verdicts(result).items() if verdict == "fails"} == {"slurm", "mamba_ssm"}


def test_the_table_shows_the_remedy_of_what_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")  # narrower, the remedy goes over several lines
    result = call("--quick", "--require", "slurm")
    assert "failing: slurm" in result.output
    assert "call it on a login node" in result.output
    assert "install NVIDIA's driver" not in result.output  # it isn't needed


def test_a_recipe_without_its_partition_fails_in_the_row_of_slurm(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = call("miniature", "--set", "cluster.slurm.partition=gpu", "--quick", "--json")
    assert {name for name, verdict in verdicts(result).items() if verdict == "fails"} == {"slurm"}


def test_an_unknown_use_is_named() -> None:
    assert isinstance(call("--for", "plane").exception, UsageError)
