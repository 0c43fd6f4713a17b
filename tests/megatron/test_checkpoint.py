"""Checkpoints are whole or absent, and nothing foreign is unpickled."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from prism.errors import BadInput
from prism.megatron import checkpoint
from prism.megatron.build import build_model
from prism.megatron.initialise import initialise
from prism.megatron.parallel import Layout, process_groups
from prism.recipe import ModelConfig, load_recipe


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
    state = saved.path / "state.json"
    state.write_text(state.read_text().replace('"schema_version": 2', '"schema_version": 7'))
    with pytest.raises(BadInput, match="schema 7"):
        checkpoint.require_latest(tmp_path)


def test_another_models_checkpoint_is_refused(alone: Layout, tmp_path: Path) -> None:
    saved = checkpoint.save(tmp_path, 1, built(load_recipe("miniature").model, 1), None, {})
    wider = load_recipe("miniature", ["model.ffn_hidden_size=320"]).model
    with pytest.raises(BadInput, match="step_00000001"):
        checkpoint.load(saved, built(wider, 1))


class _Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("this must not run",))


@pytest.mark.parametrize("content", [pickle.dumps(_Hostile()), b"no pickle"])
def test_foreign_metadata_is_refused_before_it_is_unpickled(
    alone: Layout, tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    module = built(load_recipe("miniature").model, 1)
    saved = checkpoint.save(tmp_path, 1, module, None, {})
    (saved.path / ".metadata").write_bytes(content)
    with pytest.raises(BadInput, match=r"\.metadata"):
        checkpoint.load(saved, module)
    assert "must not run" not in capsys.readouterr().out
