"""What a run leaves on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from prism.megatron.backend import install
from prism.plan.disk import checkpoint_bytes, files, kept
from prism.recipe import OptimizerConfig, load_recipe
from prism.recipe.schema.checkpoint import CheckpointConfig


def test_the_newest_are_kept_and_those_for_good() -> None:
    assert kept(CheckpointConfig(every_steps=100, keep_last=2), 1_000) == 2
    assert kept(CheckpointConfig(every_steps=1_000, keep_last=2), 500) == 1
    # 400, 800 for good; 900 and 1,000 are the newest
    assert kept(CheckpointConfig(every_steps=100, keep_last=2, keep_every=400), 1_000) == 4
    assert kept(CheckpointConfig(every_steps=100, keep_last=2, keep_every=500), 1_000) == 3


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_checkpoint_is_as_large_as_planned(precision: str, tmp_path: Path) -> None:
    install()
    from prism.megatron.parallel import Layout, process_groups
    from prism.megatron.trainee import Trainee
    from prism.train.loss import REPORT, NextTokenLoss
    from tests.plan.memory_cases import CASES, VOCABULARY
    from tests.plan.memory_worker import batches

    with process_groups(Layout(), seed=1):
        trainee = Trainee(load_recipe("miniature").model, VOCABULARY, Layout(), OptimizerConfig(), precision)
        trainee.initialise(seed=1)
        trainee.step(batches(CASES["one, micro batch 1"]), NextTokenLoss(1), 1e-3, REPORT)
        parameters = sum(one.numel() for one in trainee.weights())
        trainee.save(tmp_path, 1, {})
    written = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    assert written == pytest.approx(checkpoint_bytes(parameters, precision), rel=0.05)


def test_a_recipe_s_files_are_named_and_counted() -> None:
    recipe = load_recipe("llama_3_1_8b/math")
    found = {(one.owner, one.what): one for one in files(recipe, 8_030_261_248, 128_256)}
    assert found["mid", "checkpoints"].each_bytes == 14 * 8_030_261_248
    assert found["mid", "checkpoints"].count == 3  # two are kept, one is being written
    assert found["rl", "checkpoints"].each_bytes == 18 * 8_030_261_248
    assert found["data", "tokens"].total_bytes > 4 * 100e9
