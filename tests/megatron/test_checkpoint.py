"""Checkpoints are whole or absent, and nothing foreign is unpickled."""

from __future__ import annotations

import json
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from megatron.core.tensor_parallel.random import get_cuda_rng_tracker

from prism.errors import BadInput
from prism.megatron import checkpoint
from prism.megatron.build import build_model
from prism.megatron.initialise import initialise
from prism.megatron.parallel import Layout, process_groups
from prism.megatron.trainee import Trainee
from prism.recipe import ModelConfig, OptimizerConfig, load_recipe
from tests.megatron.stored import Hostile, replaced, said, sealed


def built(model: ModelConfig, seed: int) -> torch.nn.Module:
    module = build_model(model, 96, Layout(), "fp32")
    initialise(module, model, seed)
    return module


def test_weights_come_back_bit_by_bit(model: ModelConfig, alone: Layout, tmp_path: Path) -> None:
    first, second = built(model, 1), built(model, 2)
    saved = checkpoint.save(tmp_path, 3, first, None, {"tokens": 7})
    checkpoint.load(saved, second)
    for name, value in first.state_dict().items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, second.state_dict()[name]), name
    assert checkpoint.require_latest(tmp_path).state["tokens"] == 7


def test_whole_weights_are_the_models(tmp_path: Path) -> None:
    model = load_recipe("miniature").model
    with process_groups(Layout(), seed=1):
        module = built(model, 1)
        saved = checkpoint.save(tmp_path, 1, module, None, {})
        expected = {name: value.clone() for name, value in module.named_parameters()}
    found = dict(checkpoint.whole_weights(saved))
    assert set(found) == set(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_only_complete_checkpoints_count_and_old_ones_are_pruned(alone: Layout, tmp_path: Path) -> None:
    module = built(load_recipe("miniature").model, 1)
    for step in (1, 2, 3):
        checkpoint.save(tmp_path, step, module, None, {})
    (tmp_path / "step_00000009").mkdir()
    assert checkpoint.require_latest(tmp_path).step == 3
    checkpoint.prune(tmp_path, keep_last=2)
    assert [path.name for path in checkpoint.complete(tmp_path)] == ["step_00000002", "step_00000003"]


def test_another_releases_checkpoint_is_refused(alone: Layout, tmp_path: Path) -> None:
    saved = checkpoint.save(tmp_path, 1, built(load_recipe("miniature").model, 1), None, {})
    said(schema_version=7)(saved.path)
    with pytest.raises(BadInput, match="schema_version 7, this release reads 2"):
        checkpoint.require_latest(tmp_path)


def test_another_models_checkpoint_is_refused(alone: Layout, tmp_path: Path) -> None:
    saved = checkpoint.save(tmp_path, 1, built(load_recipe("miniature").model, 1), None, {})
    wider = load_recipe("miniature", ["model.ffn_hidden_size=320"]).model
    with pytest.raises(BadInput, match="step_00000001"):
        checkpoint.load(saved, built(wider, 1))


@pytest.mark.parametrize("content", [pickle.dumps(Hostile()), b"no pickle"])
def test_foreign_metadata_is_refused_before_it_is_unpickled(
    alone: Layout, tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    module = built(load_recipe("miniature").model, 1)
    saved = checkpoint.save(tmp_path, 1, module, None, {})
    sealed(replaced(".metadata", content), ".metadata")(saved.path)
    with pytest.raises(BadInput, match=r"\.metadata"):
        checkpoint.load(checkpoint.read(saved.path), module)
    assert "must not run" not in capsys.readouterr().out


def test_a_checkpoint_of_the_first_schema_goes_on(
    alone: Layout, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = load_recipe("miniature").model
    trained, resumed = (Trainee(model, 96, alone, OptimizerConfig()) for _ in range(2))
    trained.initialise(1)
    trained.optimizer.steps = 3
    saved = trained.save(tmp_path, 3, {})
    (saved.path / "state.json").write_text(json.dumps({"schema_version": 1, "step": 3, "tokens": 7}))
    torch.save({"optimizer": {"state": {"common_step": torch.tensor(3.0)}}}, saved.path / "common.pt")
    found = checkpoint.require_latest(tmp_path)
    assert dict(found.state) == {"tokens": 7}
    assert "read without verification" in caplog.text
    resumed.resume(found)
    assert resumed.optimizer.steps == 3
    assert all(torch.equal(one, other) for one, other in zip(resumed.weights(), trained.weights(), strict=True))


def test_every_random_state_comes_back(alone: Layout, tmp_path: Path) -> None:
    trainee = Trainee(load_recipe("miniature").model, 96, alone, OptimizerConfig())
    tracker = get_cuda_rng_tracker()

    def draw() -> list[float]:
        with tracker.fork():
            tracked = float(torch.rand(()))
        return [random.random(), random.gauss(0, 1), float(np.random.rand()), float(torch.rand(())), tracked]

    random.gauss(0, 1)  # leaves half a pair behind
    saved = trainee.save(tmp_path, 1, {})
    drawn = draw()
    draw()
    trainee.resume(saved)
    assert draw() == drawn


def test_identity_is_of_the_content(alone: Layout, tmp_path: Path) -> None:
    model = load_recipe("miniature").model
    one, same, other = (
        checkpoint.save(tmp_path / name, 1, built(model, seed), None, {})
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )
    weights = "__0_0.distcp"
    assert one.said.files is not None and same.said.files is not None and other.said.files is not None
    assert one.said.files[weights] == same.said.files[weights] != other.said.files[weights]
    assert one.identity != other.identity
    assert one.identity == checkpoint.read(one.path).identity
