"""A stage whose blend changes: sources go on where they were, also when the run is killed on the way."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep import api as data
from data_prep.api import BlendedDataset, TrainingRow
from data_prep.dataset import ChunkRows, Chunks, PackRows
from prism.megatron import checkpoint
from prism.recipe import Recipe, load_recipe
from tests.train.conftest import SmallRun

BATCH, STEPS, CHANGES = 8, 40, {20: "math", 30: "base"}
SHORT = [
    f"midtrain.global_batch_size={BATCH}",
    "midtrain.micro_batch_size=4",
    "midtrain.checkpoint.every_steps=5",
    f"midtrain.steps={STEPS}",
    f"pipeline.base.with.steps={STEPS}",
    "pipeline.base.with.blend_changes={20: math, 30: base}",
    "pipeline.packed={stage: midtrain, from: base, with: {blend: base, blend_changes: {20: math, 30: base}, "
    "packing: best_fit, micro_batch_size: 1}}",
]


@pytest.fixture(scope="module")
def trained(small_run: Callable[..., SmallRun]) -> SmallRun:
    """A run that was never interrupted."""
    run = small_run("miniature", *SHORT)
    run.train("base")
    return run


@pytest.fixture(scope="module")
def recipe(trained: SmallRun) -> Recipe:
    return load_recipe(trained.recipe, trained.overrides)


def samples_of(recipe: Recipe, stage: str) -> BlendedDataset[TrainingRow]:
    """As training opens them: by the run's own locks."""
    return data.open_samples(recipe.data_directory, recipe.training_config(stage).run_samples, end_id(recipe))


def end_id(recipe: Recipe) -> int:
    tokenizer = recipe.data_directory / "tokenizer.json"
    return data.load_tokenizer(tokenizer, recipe.data.tokenizer.end_of_document).end_of_document_id


def blend_of(step: int) -> str:
    return next((blend for first, blend in sorted(CHANGES.items(), reverse=True) if step > first), "base")


def test_sources_of_a_blend_begin_and_end_with_it(trained: SmallRun, recipe: Recipe) -> None:
    rows = trained.metrics("base")
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    found: dict[str, set[str]] = {"base": set(), "math": set()}
    for row in rows:
        found[blend_of(row["step"])] |= row["loss_by_source"].keys()
    assert found == {blend: set(recipe.data.blends[blend]) for blend in found}


def test_every_step_reports_the_sources_of_its_own_samples(trained: SmallRun, recipe: Recipe) -> None:
    samples = samples_of(recipe, "base")
    for row in trained.metrics("base"):
        last = row["step"] * BATCH
        taken = {samples.names[samples[sample].source] for sample in range(last - BATCH, last)}
        assert set(row["loss_by_source"]) == taken


@pytest.mark.parametrize("stage", ["base", "packed"])
def test_each_source_s_samples_are_taken_once_and_in_order(recipe: Recipe, stage: str) -> None:
    samples = samples_of(recipe, stage)
    assert len(samples) == STEPS * BATCH
    numbers: dict[str, list[int]] = {name: [] for name in samples.names}
    sources = {name: source_rows(recipe, stage, name) for name in samples.names}
    for sample in (samples[number] for number in range(len(samples))):
        name = samples.names[sample.source]
        numbers[name].append(sample.number)
        assert np.array_equal(sample.item.tokens, sources[name][sample.number].tokens)
    for name, taken in numbers.items():
        assert taken == list(range(len(taken))), name
    assert len(numbers["general"]) == pytest.approx(0.5 * 30 * BATCH + 0.12 * 10 * BATCH, abs=2)


def source_rows(recipe: Recipe, stage: str, name: str) -> ChunkRows | PackRows:
    """The source's samples alone, without a blend."""
    config, prefix = recipe.training_config(stage), data.source_prefix(recipe.data_directory, name)
    if config.pack is None:
        chunks = Chunks(prefix, name, config.sequence_length, recipe.run.seed)
        return ChunkRows(chunks, end_id(recipe), documents_apart=False, loss_on_end=True)
    packs = prefix.with_name(f"{name}.{config.pack.label}")
    return PackRows(packs, name, config.sequence_length, end_id(recipe), recipe.run.seed)


@pytest.fixture
def untrained(trained: SmallRun, tmp_path: Path) -> SmallRun:
    run = trained.copy(tmp_path / "killed")
    shutil.rmtree(run.directory / "stages" / "base")
    return run


def test_a_run_that_is_killed_before_and_after_a_change_has_identical_metrics(
    trained: SmallRun, untrained: SmallRun
) -> None:
    checkpoints = untrained.directory / "stages" / "base" / "checkpoints"
    untrained.train_until_killed("base", steps=7)
    assert 0 < checkpoint.require_latest(checkpoints).step < 20
    untrained.train_until_killed("base", steps=26)
    assert 20 < checkpoint.require_latest(checkpoints).step < STEPS
    assert untrained.train("base") == trained.metrics("base")
