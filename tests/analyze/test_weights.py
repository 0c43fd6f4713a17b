"""Figures of weight change on tensors whose answer is known."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from prism.analyze.weights import compare, tensor_change
from prism.errors import BadInput

NAMES = ("model.layers.0.self_attn.q_proj.weight", "model.layers.0.mlp.up_proj.weight", "model.norm.weight")


def folder(path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    path.mkdir()
    save_file(tensors, path / "model.safetensors")
    return path


def test_a_weight_is_unchanged_below_the_threshold_and_a_zero_only_if_it_stayed() -> None:
    old = torch.tensor([1.0, 1.0, 0.0, 0.0, -2.0])
    new = torch.tensor([1.005, 1.02, 0.0, 1e-9, -2.0])
    change = tensor_change(old, new, [1.0, 5.0])
    assert change.unchanged == {1.0: 3, 5.0: 4}


def test_relative_l2_pools_tensors_before_dividing(tmp_path: Path) -> None:
    old = {name: torch.ones(4, 4) if "norm" not in name else torch.ones(4) for name in NAMES}
    new = {**old, NAMES[0]: torch.full((4, 4), 1.5)}
    found = compare(folder(tmp_path / "a", old), folder(tmp_path / "b", new), [1.0])
    assert found["by_sub_component"]["attention.q"]["relative_l2"] == pytest.approx(0.5)
    assert found["by_component"]["mlp"]["relative_l2"] == 0
    assert found["total"]["relative_l2"] == pytest.approx((16 * 0.25 / 32) ** 0.5)
    assert found["total"]["unchanged_percent"]["1"] == 50
    assert found["total_all"]["elements"] == 36


def test_folders_of_different_models_are_refused(tmp_path: Path) -> None:
    first = folder(tmp_path / "a", {NAMES[0]: torch.ones(2, 2)})
    second = folder(tmp_path / "b", {NAMES[1]: torch.ones(2, 2)})
    with pytest.raises(BadInput, match="different tensors"):
        compare(first, second, [1.0])
    third = folder(tmp_path / "c", {NAMES[0]: torch.ones(2, 3)})
    with pytest.raises(BadInput, match=r"\(2, 2\) before and \(2, 3\) after"):
        compare(first, third, [1.0])
