"""Linear CKA against the paper's formula in float64, its other formulas, and its properties."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from prism.analyze.cka import Grams, cka_matrix, layer_similarities, linear_cka


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def papers(x: Tensor, y: Tensor) -> float:
    """||Y'X||^2 / (||X'X|| ||Y'Y||), columns centred."""
    x, y = x - x.mean(0), y - y.mean(0)
    return float((y.t() @ x).norm() ** 2 / ((x.t() @ x).norm() * (y.t() @ y).norm()))


def song(x: Tensor, y: Tensor) -> float:
    """Debiased, term by term as in Song et al. (2012), equation 5."""

    def hsic(x: Tensor, y: Tensor) -> Tensor:
        n, ones = len(x), torch.ones(len(x), dtype=torch.float64)
        k, l = (part @ part.t() for part in (x, y))  # noqa: E741
        k, l = (part - torch.diag(part.diag()) for part in (k, l))  # noqa: E741
        sums = (ones @ k @ ones) * (ones @ l @ ones) / ((n - 1) * (n - 2))
        return (torch.trace(k @ l) + sums - 2 / (n - 2) * (ones @ k @ l @ ones)) / (n * (n - 3))

    return float(hsic(x, y) / (hsic(x, x) * hsic(y, y)).sqrt())


shapes = st.tuples(st.integers(5, 40), st.integers(1, 60), st.integers(1, 60), st.integers(0, 1_000))


@given(shapes)
@settings(max_examples=60, deadline=None)
def test_it_equals_the_papers_formula(shape: tuple[int, int, int, int]) -> None:
    inputs, width, other, seed = shape
    x = normal(inputs, width, seed=seed)
    y = x @ normal(width, other, seed=seed + 1) + normal(inputs, other, seed=seed + 2) + 10
    assert linear_cka(x, y) == pytest.approx(papers(x, y), abs=1e-8)
    assert float(cka_matrix(Grams(x[None]), Grams(y[None]), debiased=True)) == pytest.approx(
        song(x, y), abs=1e-6, nan_ok=True
    )


@given(shapes, st.floats(1e-3, 1e3))
@settings(max_examples=40, deadline=None)
def test_rotation_scale_and_offset_change_nothing(shape: tuple[int, int, int, int], scale: float) -> None:
    inputs, width, _, seed = shape
    x, y = normal(inputs, width, seed=seed), normal(inputs, width, seed=seed + 1)
    rotation, _ = torch.linalg.qr(normal(width, width, seed=seed + 2))
    moved = scale * y @ rotation + normal(width, seed=seed + 3)
    assert linear_cka(x, moved) == pytest.approx(linear_cka(x, y), abs=1e-8)
    assert linear_cka(y, moved) == pytest.approx(1.0, abs=1e-8)


@given(shapes, st.floats(1e-2, 1e2))
@settings(max_examples=40, deadline=None)
def test_rotation_and_scale_change_the_debiased_estimate_as_little(
    shape: tuple[int, int, int, int], scale: float
) -> None:
    inputs, width, _, seed = shape
    x, y = normal(inputs, width, seed=seed), normal(inputs, width, seed=seed + 1)
    rotation, _ = torch.linalg.qr(normal(width, width, seed=seed + 2))
    still, moved = (
        float(cka_matrix(Grams(x[None]), Grams(other[None]), debiased=True)) for other in (y, scale * y @ rotation)
    )
    assert moved == pytest.approx(still, abs=1e-6, nan_ok=True)


def test_gram_matrices_give_what_the_features_give() -> None:
    x, y = normal(30, 8), normal(30, 8, seed=2)
    rows = torch.tensor([4, 1, 22, 9, 13])
    drawn = Grams(x[None]).drawn(rows)[0]
    part = x[rows] - x[rows].mean(0)
    torch.testing.assert_close(drawn, part @ part.t(), rtol=0, atol=1e-12)
    assert linear_cka(x[rows], y[rows]) == pytest.approx(papers(x[rows], y[rows]), abs=1e-10)


def test_it_is_symmetric_and_layers_may_differ_in_number() -> None:
    before, after = normal(3, 30, 8), normal(2, 30, 5, seed=2)
    matrix = cka_matrix(Grams(before), Grams(after))
    assert matrix.shape == (3, 2)
    torch.testing.assert_close(matrix, cka_matrix(Grams(after), Grams(before)).t(), rtol=0, atol=1e-12)
    for row, x in enumerate(before):
        for column, y in enumerate(after):
            assert float(matrix[row, column]) == pytest.approx(papers(x, y), abs=1e-10)


def test_the_same_is_alike_and_unrelated_inputs_are_not() -> None:
    x, y = normal(4_000, 16), normal(4_000, 16, seed=2)
    assert linear_cka(x, x) >= 0.99
    assert linear_cka(x, y) < 0.02


def test_with_few_inputs_the_debiased_estimate_tells_unrelated_representations_apart() -> None:
    x, y = Grams(normal(1, 100, 2_048)), Grams(normal(1, 100, 2_048, seed=2))
    assert float(cka_matrix(x, y)) > 0.9
    assert abs(float(cka_matrix(x, y, debiased=True))) < 0.05
    assert float(cka_matrix(x, x, debiased=True)) == pytest.approx(1.0)


def test_an_offset_far_above_the_spread_costs_no_digits() -> None:
    x, y = normal(50, 20), normal(50, 20, seed=2)
    assert linear_cka(x + 1e5, y - 1e5) == pytest.approx(papers(x, y), abs=1e-8)


def test_every_layer_gets_an_interval_of_draws_of_half_of_the_inputs() -> None:
    x = normal(60, 12)
    before, after = torch.stack([x, x]), torch.stack([x, x + 0.5 * normal(60, 12, seed=2)])
    same, noisy = layer_similarities(Grams(before), Grams(after), resamples=20, seed=1)
    assert same.low == pytest.approx(1.0)
    assert noisy.cka == pytest.approx(papers(x, after[1]), abs=1e-10)
    generator = torch.Generator().manual_seed(1)
    draws = [torch.randperm(60, generator=generator)[:30] for _ in range(20)]
    drawn = torch.tensor([papers(x[rows], after[1][rows]) for rows in draws], dtype=torch.float64)
    low, high = torch.quantile(drawn, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    assert (noisy.low, noisy.high) == (pytest.approx(low, abs=1e-10), pytest.approx(high, abs=1e-10))


def test_representations_without_differences_have_no_similarity() -> None:
    assert cka_matrix(Grams(torch.ones(1, 10, 4)), Grams(normal(1, 10, 4))).isnan().all()
