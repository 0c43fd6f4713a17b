"""RL with the policy spread over pipeline stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.train.conftest import SmallRun

SHORT = [
    "pipeline.base.with.steps=3",
    "midtrain.schedule.warmup_steps=1",
    "pipeline.rl.from=base",
    "pipeline.rl.prompts_from=null",
    "pipeline.rl.with={steps: 2, prompts_per_step: 4, responses_per_prompt: 6, max_response_tokens: 44}",
]


def test_two_stages_sample_and_train_like_one_process(small_run: Callable[..., SmallRun], tmp_path: Path) -> None:
    run = small_run("miniature", *SHORT)
    run.train("base")
    alone = run.copy(tmp_path / "alone").train("rl")
    spread = run.copy(tmp_path / "spread").train(
        "rl", ["cluster.processes=2", "cluster.pipeline_parallel=2"], processes=2
    )
    assert len(alone) == len(spread) == 2
    for mine, expected in zip(spread, alone, strict=True):
        for key in ("reward", "response_length", "live_groups", "kl", "loss", "grad_norm"):
            assert mine[key] == pytest.approx(expected[key], rel=1e-4, abs=1e-9), key
