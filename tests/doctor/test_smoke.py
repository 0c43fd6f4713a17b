"""The smoke test end to end at its tiny size: the same code as on a GPU."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from prism.doctor.smoke import smoke
from prism.doctor.smoke.recipes import SIZES, recipe
from prism.errors import UsageError
from prism.pipeline.sizes import parameter_count
from prism.recipe import load_recipe


@pytest.mark.skipif(os.environ.get("PRISM_TEST_FULL") != "1", reason="minutes of two cores: part of `make test-full`")
def test_kernels_training_and_resume_hold_on_this_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, runs = tmp_path / "smoke.json", tmp_path / "runs"
    assert smoke("tiny", out, runs), capsys.readouterr().out
    found = json.loads(out.read_text())
    assert found["benchmark"] == "gpu_smoke" and found["holds"]
    assert set(found["parts"]) == {"kernels", "dense", "hybrid", "resume"}
    assert len(found["parts"]["kernels"]["kernels"]) == 6
    assert found["parts"]["dense"]["steps"] == found["parts"]["hybrid"]["steps"] == 20
    resume = found["parts"]["resume"]
    assert resume["identical"] and 8 <= resume["killed_after_steps"] < 20
    assert found["mfu_dense"] is None  # a CPU's peak isn't known
    assert list(runs.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_the_size_of_a_gpu_is_refused_on_a_cpu() -> None:
    with pytest.raises(UsageError, match="--size tiny"):
        smoke("gpu", None, None)


@pytest.mark.parametrize("kind", ["dense", "hybrid", "resume"])
def test_the_recipes_of_a_gpu_are_valid_and_fit_80_gb(kind: str, tmp_path: Path) -> None:
    import yaml

    file = tmp_path / "smoke.yaml"
    file.write_text(yaml.safe_dump(recipe(kind, SIZES["gpu"], tmp_path)))  # type: ignore[arg-type]
    loaded = load_recipe(file)
    assert 18 * parameter_count(loaded.model) < 40 * 2**30
    assert loaded.midtrain.global_batch_size * loaded.midtrain.sequence_length * loaded.midtrain.steps <= 800_000
