"""Orders that are computed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.dataset.shuffle import Permutation, draw


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 3_000), st.integers())
def test_every_number_comes_once(size: int, key: int) -> None:
    permutation = Permutation(size, key)
    assert sorted(permutation[index] for index in range(size)) == list(range(size))


def test_another_key_is_another_order() -> None:
    orders = {
        tuple(Permutation(50, seed, "web", epoch)[i] for i in range(50)) for seed in range(5) for epoch in range(5)
    }
    assert len(orders) == 25


def test_a_permutation_leaves_neighbours_far_apart() -> None:
    size = 10_000
    permutation = Permutation(size, 1)
    steps = [abs(permutation[index] - permutation[index + 1]) for index in range(size - 1)]
    assert abs(sum(steps) / len(steps) / size - 1 / 3) < 0.02  # two random places are a third of the range apart


def test_beyond_its_size_there_is_nothing() -> None:
    with pytest.raises(IndexError):
        Permutation(3, 1)[3]


def test_draws_are_spread_over_their_range() -> None:
    counts = [0] * 8
    for number in range(8_000):
        counts[draw(8, number)] += 1
    assert sum((count - 1_000) ** 2 / 1_000 for count in counts) < 24.3  # chi-square, 7 degrees of freedom, 0.1%
