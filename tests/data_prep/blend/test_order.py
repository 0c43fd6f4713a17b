"""The order of a blend against megatron-core's helper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.blend.order import BLOCK, blend_order, read_order, write_order
from data_prep.errors import DataError

WEIGHTS = st.lists(st.floats(0.01, 100), min_size=1, max_size=20)


def megatrons(weights: list[float], samples: int) -> tuple[np.ndarray, np.ndarray]:
    from megatron.core.datasets import helpers_cpp

    sources, numbers = np.zeros(samples, np.int16), np.zeros(samples, np.int64)
    shares = np.asarray(weights) / np.sum(weights)
    helpers_cpp.build_blending_indices(sources, numbers, shares, len(weights), samples, False)
    return sources, numbers


@settings(max_examples=60, deadline=None)
@given(WEIGHTS, st.integers(1, 3 * BLOCK))
def test_order_and_positions_are_megatrons(weights: list[float], samples: int) -> None:
    sources, numbers = megatrons(weights, samples)
    order = blend_order(weights, samples)
    assert np.array_equal(order.sources, sources)
    looked_up = {0, samples - 1, samples // 2, *range(BLOCK - 1, samples, BLOCK), *range(BLOCK, samples, BLOCK)}
    assert all(order[sample] == (sources[sample], numbers[sample]) for sample in looked_up if sample < samples)
    assert np.array_equal(order.totals(), np.bincount(sources, minlength=len(weights)))
    assert np.array_equal(order.totals(samples // 2), np.bincount(sources[: samples // 2], minlength=len(weights)))


@settings(max_examples=20, deadline=None)
@given(WEIGHTS)
def test_a_longer_run_begins_like_a_shorter_one(weights: list[float]) -> None:
    assert np.array_equal(blend_order(weights, 9_000).sources[:5_000], blend_order(weights, 5_000).sources)


def test_a_written_order_is_read_as_it_was(tmp_path: Path) -> None:
    order = blend_order([3, 1, 2], 10_000)
    write_order(tmp_path / "order.npy", order)
    found = read_order(tmp_path / "order.npy")
    assert np.array_equal(found.sources, order.sources)
    assert found[9_999] == order[9_999]


@pytest.mark.parametrize("weights", [[], [1, 0], [1, -2], [1, float("nan")], [1, float("inf")], [1.0] * 257])
def test_weights_that_make_no_order_are_refused(weights: list[float]) -> None:
    with pytest.raises(DataError, match="above 0"):
        blend_order(weights, 10)
