"""Held-out loss by source: what it adds up to, and that no layout changes it."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data_prep import api as data
from prism.errors import RecipeError
from prism.megatron import checkpoint
from prism.megatron.parallel import Layout, process_groups
from prism.recipe import load_recipe
from prism.score.likelihood import document_bits
from tests.train.conftest import SmallRun

SHORT = [
    "pipeline.base.with.steps=6",
    "pipeline.base.with.validation.every_steps=4",
    "pipeline.base.with.validation.tokens=2048",
    "data.sources.general.holdout=0.05",
    "data.sources.song.holdout=0.02",
    "midtrain.schedule.warmup_steps=2",
    "pipeline.base.with.schedule.warmup_steps=2",
]
HELD_OUT = ["general", "song"]

pytestmark = pytest.mark.xdist_group("validation")  # one process makes what its tests share


@pytest.fixture(scope="module")
def trained(small_run: Callable[..., SmallRun]) -> SmallRun:
    run = small_run("miniature", *SHORT)
    run.train("base")
    return run


def test_the_sources_losses_weighted_by_their_labels_are_the_loss(trained: SmallRun) -> None:
    rows = trained.metrics("base")
    rows += [row["validation"] for row in rows if "validation" in row]
    assert len(rows) == 6 + 2
    for row in rows:
        labels = row["labels_by_source"]
        total = sum(row["loss_by_source"][name] * labels[name] for name in labels)
        assert total / sum(labels.values()) == pytest.approx(row["loss"], rel=1e-6)


def test_it_looks_on_its_schedule_and_after_the_last_step_at_sources_that_hold_documents_out(trained: SmallRun) -> None:
    found = {row["step"]: row["validation"] for row in trained.metrics("base") if "validation" in row}
    assert list(found) == [4, 6]
    assert list(found[4]["loss_by_source"]) == HELD_OUT
    assert max(found[6]["labels_by_source"].values()) <= 2048


def test_it_is_the_loss_that_evaluation_finds(trained: SmallRun) -> None:
    from prism.generate.load import load_language_model

    recipe = load_recipe(trained.recipe, trained.overrides)
    vocabulary = data.load_tokenizer(recipe.data_directory / "tokenizer.json")
    documents = [vocabulary.encode(text) for text in data.held_out_texts(recipe.data_directory, "general")]
    end = vocabulary.end_of_document_id
    short = [[*tokens, end] for tokens in documents if len(tokens) < 64][:32]
    with process_groups(Layout(), seed=1):
        source = checkpoint.require_latest(trained.directory / "stages" / "base" / "checkpoints")
        model = load_language_model(recipe, source, vocabulary.vocab_size)
        costs = document_bits(model, short, end)
    expected = math.log(2) * sum(cost.bits for cost in costs) / sum(cost.tokens for cost in costs)
    row = trained.metrics("base")[-1]["validation"]
    assert len(short) == 32 and row["labels_by_source"]["general"] >= sum(cost.tokens for cost in costs)
    windows = 2048 // 64
    assert windows == len(short), "all windows of general are whole documents"
    assert row["loss_by_source"]["general"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("layout", ["cluster.tensor_parallel=2", "cluster.pipeline_parallel=2", "cluster.processes=2"])
def test_every_layout_finds_the_same(trained: SmallRun, layout: str, tmp_path: Path) -> None:
    spread = trained.copy(tmp_path / "spread")
    keys = [layout, "cluster.processes=2", "midtrain.micro_batch_size=8"]
    (row,) = [row for row in spread_training(spread, keys) if row["step"] == 6]
    wanted = trained.metrics("base")[-1]
    for name in HELD_OUT:
        assert row["validation"]["loss_by_source"][name] == pytest.approx(
            wanted["validation"]["loss_by_source"][name], rel=1e-5
        )
    assert row["validation"]["labels_by_source"] == wanted["validation"]["labels_by_source"]


def spread_training(run: SmallRun, keys: list[str]) -> list[dict[str, object]]:
    """From the checkpoint of an earlier step on; the first step of a run draws its weights by rank."""
    shutil.rmtree(run.directory / "stages" / "base" / "checkpoints" / "step_00000006")
    return run.train("base", keys, processes=2)


def test_a_stage_without_held_out_documents_is_refused(small_run: Callable[..., SmallRun]) -> None:
    run = small_run("miniature", "pipeline.base.with.steps=2", "pipeline.base.with.validation.every_steps=1")
    from prism.train import run_training

    with pytest.raises(RecipeError, match=r"none of the stage's sources holds documents out.*holdout"):
        run_training(load_recipe(run.recipe, run.overrides), "base")
