"""A killed run goes on as if nothing had happened: the same metrics, bit for bit."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.train.conftest import SmallRun, environment

SHORT = [
    "pipeline.base.with.steps=10",
    "pipeline.mid.with.steps=40",
    "midtrain.checkpoint.every_steps=10",
    "pipeline.rl.prompts_from=null",
    "rl.steps=4",
    "rl.prompts_per_step=4",
    "rl.responses_per_prompt=4",
    "rl.max_response_tokens=16",
    "rl.checkpoint.every_steps=1",
]


@pytest.fixture(scope="module")
def trained(small_run: Callable[..., SmallRun]) -> SmallRun:
    """A run that was never interrupted."""
    run = small_run("miniature", *SHORT)
    for stage in ("base", "mid", "rl"):
        run.train(stage)
    return run


@pytest.mark.parametrize(("stage", "kill_after_steps"), [("mid", 17), ("rl", 2)])
def test_resume_after_kill_gives_identical_metrics(
    trained: SmallRun, stage: str, kill_after_steps: int, tmp_path: Path
) -> None:
    run = trained.copy(tmp_path / "killed")
    subprocess.run(["rm", "-rf", str(run.directory / "stages" / stage)], check=True)
    _kill_when(run, stage, kill_after_steps)
    survivors = run.metrics(stage)
    assert kill_after_steps <= len(survivors) < len(trained.metrics(stage))
    assert run.train(stage) == trained.metrics(stage)


def _kill_when(run: SmallRun, stage: str, steps: int) -> None:
    """Starts the stage and kills it once it has logged `steps` steps."""
    log = run.directory / "stages" / stage / "metrics.jsonl"
    process = subprocess.Popen(
        run.command(stage), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not log.exists() or log.read_text().count("\n") < steps:
        assert process.poll() is None, "the stage ended before it could be killed"
        assert time.monotonic() < deadline, "the stage never got that far"
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
