"""A small sweep, run for real: what is alike is done once, a kill loses nothing, a failure stops nobody else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SWEEP = str(Path(__file__).with_name("small.yaml"))

pytestmark = pytest.mark.xdist_group("sweep_run")  # one process makes what its tests share


def sweep(command: str, directory: Path, *arguments: str) -> subprocess.Popen[str]:
    call = [sys.executable, "-m", "prism.cli", "sweep", command, SWEEP, "--set", f"run.directory={directory}"]
    environment = {**os.environ, "PRISM_BACKEND": "cpu", "COLUMNS": "200"}
    return subprocess.Popen(
        [*call, *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    output, _ = process.communicate(timeout=400)
    assert process.returncode == code, output
    return output


def manifest_of(run: Path) -> dict[str, dict[str, object]]:
    nodes: dict[str, dict[str, object]] = json.loads((run / "manifest.json").read_text())["nodes"]
    return nodes


@pytest.fixture(scope="module")
def killed_and_finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a sweep that was killed in its second member and called again, and what it then printed."""
    directory = tmp_path_factory.mktemp("runs")
    process = sweep("run", directory)
    log = directory / "small" / "more" / "stages" / "mid" / "metrics.jsonl"
    deadline = time.monotonic() + 400
    while not log.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return directory / "small", finish(sweep("run", directory))


def test_the_shared_base_is_trained_once(killed_and_finished: tuple[Path, str]) -> None:
    folder, _ = killed_and_finished
    few, more = (manifest_of(folder / name) for name in ("few", "more"))
    assert few["base"] == more["base"]  # the same record: hashes of the inputs, times, seconds
    assert not (folder / "more" / "logs" / "base.log").exists()
    assert few["mid"] != more["mid"]
    weights = next((folder / "few" / "stages/base/hf").glob("*.safetensors"))
    assert weights.samefile(folder / "more" / "stages/base/hf" / weights.name)


def test_a_sweep_that_was_killed_goes_on(killed_and_finished: tuple[Path, str]) -> None:
    folder, output = killed_and_finished
    assert "few: skipped: unchanged: data, base, mid, evaluate:mid" in output
    assert "more: mid: unfinished, goes on" in output
    steps = [json.loads(line)["step"] for line in (folder / "more/stages/mid/metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 9))


def test_a_sweep_ends_in_a_table_with_plot(killed_and_finished: tuple[Path, str]) -> None:
    folder, output = killed_and_finished
    assert "mid-training tokens" in output and "missing" not in output
    found = json.loads((folder / "sweep.json").read_text())
    assert [(member["member"], member["x"]) for member in found["members"]] == [("few", 4096), ("more", 8192)]
    assert all(set(member["figures"]) == {"solved", "facts"} for member in found["members"])
    assert "<svg" in (folder / "sweep.html").read_text()


@pytest.mark.parametrize("options", [[], ["--fail-fast"]])
def test_a_member_that_fails_stops_the_others_only_when_asked_to(
    killed_and_finished: tuple[Path, str], options: list[str]
) -> None:
    folder, _ = killed_and_finished
    manifest = folder / "few" / "manifest.json"
    whole = manifest.read_text()
    manifest.write_text('{"schema_version": 99}')
    try:
        output = finish(sweep("run", folder.parent, *options), 4)
    finally:
        manifest.write_text(whole)
    assert "few: error: " in output
    assert "schema_version 99, this release reads 1 of a manifest" in output
    assert "missing: few: " in output
    assert ("more: finished" in output) is (not options)
