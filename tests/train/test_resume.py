"""A killed run goes on as if nothing had happened: the same metrics, bit for bit."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.train.conftest import SmallRun

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

pytestmark = pytest.mark.xdist_group("resume")  # one process makes what its tests share


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
    run.train_until_killed(stage, kill_after_steps)
    survivors = run.metrics(stage)
    assert kill_after_steps <= len(survivors) < len(trained.metrics(stage))
    assert run.train(stage) == trained.metrics(stage)
