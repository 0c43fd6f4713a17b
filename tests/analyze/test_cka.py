"""Linear CKA against its properties and its other formula."""

import pytest
import torch

from prism.analyze.cka import layer_similarities, linear_cka

X = torch.randn(60, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
Y = torch.randn(60, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def test_a_representation_is_itself() -> None:
    assert linear_cka(X, X) == pytest.approx(1.0, abs=1e-12)


def test_rotation_scale_and_offset_change_nothing() -> None:
    rotation, _ = torch.linalg.qr(torch.randn(12, 12, dtype=torch.float64))
    assert linear_cka(X, 3 * X @ rotation + 5) == pytest.approx(1.0, abs=1e-10)


def test_it_equals_the_formula_on_gram_matrices() -> None:
    centre = torch.eye(60, dtype=torch.float64) - 1 / 60
    k, l = centre @ X @ X.t() @ centre, centre @ Y @ Y.t() @ centre  # noqa: E741  the paper's letters
    expected = (k * l).sum() / (k.norm() * l.norm())
    assert linear_cka(X, Y) == pytest.approx(float(expected), rel=1e-10)


def test_every_layer_gets_an_interval() -> None:
    before = torch.stack([X, X])
    after = torch.stack([X, X + 0.5 * torch.randn_like(X)])
    same, noisy = layer_similarities(before, after, resamples=20, seed=1)
    assert same.low == pytest.approx(1.0) and noisy.value < 1
    assert noisy.low <= noisy.high <= 1
