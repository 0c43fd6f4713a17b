"""The merge of two checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from prism.errors import BadInput
from prism.formats.torch_dist_rows import TorchDistRows
from prism.longcontext.merge import Merged
from prism.megatron import checkpoint
from prism.megatron.build import build_model
from prism.megatron.initialise import initialise
from prism.megatron.parallel import Layout, process_groups
from prism.models.convert import write_step
from prism.recipe import ModelConfig, load_recipe

VOCABULARY = 90  # padded to 96


def saved(model: ModelConfig, seed: int, folder: Path) -> TorchDistRows:
    with process_groups(Layout(), seed=1):
        module = build_model(model, VOCABULARY, Layout(), "fp32")
        initialise(module, model, seed)
        return TorchDistRows(checkpoint.save(folder, 0, module, None, {}).path)


@pytest.mark.parametrize("recipe", ["miniature", "miniature_hybrid"])
def test_every_weight_lies_between_the_two(recipe: str, tmp_path: Path) -> None:
    model = load_recipe(recipe).model
    base, trained = saved(model, 1, tmp_path / "base"), saved(model, 2, tmp_path / "trained")
    made = write_step(tmp_path / "merged", Merged(base, trained, 0.15), model, VOCABULARY, {"merged": ["a", "b"]})
    merged = TorchDistRows(made.path)
    assert set(merged.names()) == set(trained.names())
    for name in merged.names():
        expected = 0.15 * base.read(name).double() + 0.85 * trained.read(name).double()
        rows = VOCABULARY if name.startswith(("embedding", "output")) else None
        torch.testing.assert_close(merged.read(name).double()[:rows], expected[:rows], atol=1e-6, rtol=1e-6)


def test_the_engine_loads_it(tmp_path: Path) -> None:
    model = load_recipe("miniature_hybrid").model
    base, trained = saved(model, 1, tmp_path / "base"), saved(model, 2, tmp_path / "trained")
    write_step(tmp_path / "merged", Merged(base, trained, 0.0), model, VOCABULARY, {})
    with process_groups(Layout(), seed=1):
        module = build_model(model, VOCABULARY, Layout(), "fp32")
        checkpoint.load(checkpoint.require_latest(tmp_path / "merged"), module)
    for name, parameter in module.named_parameters():
        rows = VOCABULARY if name.startswith(("embedding", "output")) else None
        assert torch.equal(parameter.data[:rows], trained.read(name)[:rows]), name


def test_checkpoints_of_two_models_are_not_merged(tmp_path: Path) -> None:
    model = load_recipe("miniature").model
    other = load_recipe("miniature", ["model.ffn_hidden_size=64"]).model
    merged = Merged(saved(model, 1, tmp_path / "base"), saved(other, 2, tmp_path / "trained"), 0.15)
    with pytest.raises(BadInput, match="merge two checkpoints of one model"):
        write_step(tmp_path / "merged", merged, model, VOCABULARY, {})
