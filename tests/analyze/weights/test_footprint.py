"""RL from two starts: alike where it changes the same, not alike where it doesn't."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from prism.analyze.weights import Asked, analyse, open_sources
from prism.analyze.weights.footprint import Footprint, footprint
from tests.analyze.weights.naive import moved
from tests.longcontext.made import hf, tensors_of, write

V, UP = "v_proj", "up_proj"


def trained(source: Path, target: Path, where: str, seed: int) -> Path:
    """A copy in which the matrices of one kind moved ten times as far as the others, every second element at all."""
    moved(source, target, 0.0, 0)
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, tensor in tensors_of(source).items():
        step = 0.02 * (10 if where in name else 1) * torch.randn(tensor.shape, generator=generator)
        step.view(-1)[::2] = 0
        tensors[name] = tensor * (1 + step)
    for file in target.glob("*.safetensors"):
        file.unlink()
    write(target, tensors, 3)
    return target


def of(*folders: Path) -> Footprint:
    names = [folder.name for folder in folders]
    asked = Asked(((0, 1), (2, 3)), relations=(((0, 1), (2, 3)),))
    return footprint(analyse(open_sources([str(folder) for folder in folders], names), asked))


def test_the_same_training_leaves_the_same_footprint_and_another_does_not(tmp_path: Path) -> None:
    base = hf(tmp_path / "base", 0, dtype=torch.float32)
    mid = moved(base, tmp_path / "mid", 0.2, 1)
    first = trained(base, tmp_path / "rl_base", V, 2)
    same = trained(mid, tmp_path / "rl_mid", V, 2)
    other = trained(mid, tmp_path / "rl_other", UP, 3)
    alike, unlike = of(base, first, mid, same), of(base, first, mid, other)
    assert alike.l2_by_matrix.pearson == pytest.approx(1, abs=0.02)
    assert alike.l2_by_matrix.count == 30
    assert alike.l2_by_sub_component.spearman is not None
    assert alike.relation.groups.total.sum.cosine == pytest.approx(1, abs=0.05)
    assert alike.relation.groups.total.sum.jaccard(0) == pytest.approx(1, abs=0.1)
    assert alike.relation.groups.total.sum.lift(0) == pytest.approx(2, abs=0.1)
    assert unlike.l2_by_matrix.pearson is not None and unlike.l2_by_matrix.pearson < 0
    assert abs(unlike.relation.groups.total.sum.cosine or 1) < 0.02


def test_a_checkpoint_that_did_not_move_has_no_footprint(tmp_path: Path) -> None:
    base = hf(tmp_path / "base", 0)
    found = of(base, base, base, base)
    assert found.l2_by_matrix.pearson is None
    assert found.relation.groups.total.sum.cosine is None
