"""A degradation and its bootstrap, held to the formulas in float64."""

from __future__ import annotations

import numpy as np
import pytest

from prism.train.retention.degradation import Floats, Resamples, degradation

ITEMS, COUNT = 60, 500


def counts_of(resamples: Resamples) -> Floats:
    """How often each item is drawn, (resamples, items)."""
    return np.stack(resamples.sums(list(np.eye(ITEMS))), axis=1)


def items(weighted: bool) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(3)
    weights = generator.lognormal(4, 1, ITEMS) if weighted else np.ones(ITEMS)
    return 0.05 * weights + generator.standard_t(3, ITEMS) * weights, weights


def test_a_resample_draws_as_many_items_as_there_are_and_the_seed_decides_which() -> None:
    counts = counts_of(Resamples(ITEMS, COUNT, seed=1))
    assert counts.shape == (COUNT, ITEMS)
    assert (counts.sum(axis=1) == ITEMS).all()
    assert counts.mean() == 1 and counts.var() == pytest.approx(1 - 1 / ITEMS, rel=0.05)
    assert (counts == counts_of(Resamples(ITEMS, COUNT, seed=1))).all()
    assert (counts != counts_of(Resamples(ITEMS, COUNT, seed=2))).any()


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_what_the_formulas_say(weighted: bool) -> None:
    lost, weights = items(weighted)
    resamples = Resamples(ITEMS, COUNT, seed=1)
    found = degradation(lost, weights, resamples)
    estimate = lost.sum() / weights.sum()
    assert found.estimate == pytest.approx(estimate, rel=1e-12)
    assert found.error == pytest.approx(np.sqrt(((lost - estimate * weights) ** 2).sum()) / weights.sum(), rel=1e-12)
    for drawn, studentised in zip(counts_of(resamples), found.studentised, strict=True):
        again = (drawn @ lost) / (drawn @ weights)
        error = np.sqrt(drawn @ (lost - again * weights) ** 2) / (drawn @ weights)
        assert studentised == pytest.approx((again - estimate) / error, rel=2e-3, abs=2e-4)


def test_the_error_is_that_of_drawing_items_anew() -> None:
    generator = np.random.default_rng(5)
    estimates, errors = [], []
    resamples = Resamples(200, 10, seed=1)
    for _ in range(2_000):
        weights = generator.lognormal(0, 0.5, 200)
        found = degradation(weights * (1 + generator.standard_normal(200)), weights, resamples)
        estimates.append(found.estimate)
        errors.append(found.error)
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.05)


def test_items_that_all_lose_alike_leave_no_doubt() -> None:
    weights = np.linspace(1, 5, ITEMS)
    found = degradation(3 * weights, weights, Resamples(ITEMS, COUNT, seed=1))
    assert found.estimate == pytest.approx(3)
    assert found.error == pytest.approx(0, abs=1e-12)
