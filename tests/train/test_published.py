"""A pipeline that starts from a Hugging Face folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from prism.errors import RecipeError
from prism.models.inspect import differences
from prism.recipe import load_recipe
from prism.train import run_import
from tests.train.conftest import SmallRun

SHORT = ["pipeline.base.with.steps=3", "pipeline.mid.with.steps=3", "midtrain.schedule.warmup_steps=1"]


@pytest.mark.parametrize("recipe", ["miniature", "miniature_hybrid"])
def test_training_goes_on_from_published_weights(
    recipe: str, small_run: Callable[..., SmallRun], tmp_path: Path
) -> None:
    """What `base` exported is imported elsewhere: same tensors, and `mid` has the same losses from either."""
    run = small_run(recipe, *SHORT)
    run.train("base")
    expected = run.train("mid")
    shutil.copytree(run.directory / "stages" / "base" / "hf", tmp_path / "published")
    shutil.rmtree(run.directory / "stages")
    size = json.loads((tmp_path / "published" / "config.json").read_text())["vocab_size"]
    start = f"pipeline.base={{stage: import, with: {{path: {tmp_path / 'published'}}}}}"
    fresh = SmallRun(recipe, (*run.overrides, "pipeline.base=null", start, f"model.vocab_size={size}"), run.directory)
    run_import(load_recipe(fresh.recipe, fresh.overrides), "base")
    assert differences(tmp_path / "published", run.directory / "stages" / "base" / "hf")[1] == []
    assert fresh.train("mid") == expected


def test_weights_of_another_model_are_refused_by_key(small_run: Callable[..., SmallRun], tmp_path: Path) -> None:
    run = small_run("miniature", *SHORT)
    run.train("base")
    shutil.copytree(run.directory / "stages" / "base" / "hf", tmp_path / "published")
    size = json.loads((tmp_path / "published" / "config.json").read_text())["vocab_size"]
    start = f"pipeline.base={{stage: import, with: {{path: {tmp_path / 'published'}}}}}"
    overrides = [*run.overrides, "pipeline.base=null", start, f"model.vocab_size={size}", "model.rope_base=5000"]
    with pytest.raises(RecipeError, match=r"rope_base is 5000\.0 here, 10000\.0 there"):
        run_import(load_recipe("miniature", overrides), "base")
