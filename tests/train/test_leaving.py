"""Slurm's warning and a plain kill: the stage saves itself, leaves with 85, and goes on as if nothing had happened."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from prism.megatron import checkpoint
from tests.train.conftest import SmallRun, environment

SHORT = ["pipeline.base.with.steps=400", "midtrain.checkpoint.every_steps=1000"]


@pytest.fixture(scope="module")
def run(small_run: Callable[..., SmallRun]) -> SmallRun:
    return small_run("miniature", *SHORT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_run_that_is_asked_to_leave_saves_the_step_it_is_at(
    run: SmallRun, number: signal.Signals, tmp_path: Path
) -> None:
    """Through `prism run`, which passes the wish on to its workers."""
    own = run.copy(tmp_path / "left")
    command = [sys.executable, "-m", "prism.cli", "run", own.recipe, "--only", "base"]
    command += [part for override in own.overrides for part in ("--set", override)]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    metrics = own.directory / "stages" / "base" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not metrics.exists() or metrics.read_bytes().count(b"\n") < 10:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 85, output
    saved = checkpoint.latest(own.directory / "stages" / "base" / "checkpoints")
    assert saved is not None and saved.step == len(own.metrics("base")) >= 10
    assert "goes on from there" in output
