"""Figures of weight change: on values whose answer is known, and on any values against numpy in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from prism.analyze.weights.blocks import change_in_bf16, change_of, relation_of
from prism.analyze.weights.change import THRESHOLDS_PERCENT, Change
from tests.analyze.weights.naive import cosine, figures

DTYPES = [torch.bfloat16, torch.float16, torch.float32, torch.float64]
VALUES = arrays.arrays(np.float32, st.integers(1, 300), elements=st.floats(-100, 100, width=32))


def test_a_weight_is_unchanged_below_the_threshold_and_a_zero_only_if_it_stayed() -> None:
    old = torch.tensor([1.0, 1.0, 0.0, 0.0, -2.0, -0.0])
    new = torch.tensor([1.005, 1.02, 0.0, 1e-9, -2.0, 0.0])
    assert change_of(old, new, [1.0, 5.0]).unchanged == (4, 5)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_sums_and_counts_are_those_of_numpy_in_every_type(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    old = torch.randn(3, 4567, generator=generator).to(dtype)
    new = (old.double() * (1 + 0.02 * torch.randn(old.shape, generator=generator, dtype=torch.float64))).to(dtype)
    found, expected = change_of(old, new, THRESHOLDS_PERCENT), figures([(old, new)], THRESHOLDS_PERCENT)
    assert found.as_json(THRESHOLDS_PERCENT)["unchanged_percent"] == expected["unchanged_percent"]
    assert found.relative_l2 == pytest.approx(expected["relative_l2"], rel=1e-12)


def test_every_pair_of_neighbouring_bf16_values_is_counted_as_numpy_does() -> None:
    """Ratios such as 2 to 200 lie on a threshold exactly: there the rounding of the product decides."""
    bits = np.arange(0, 1 << 15, dtype=np.int16)  # every bf16 that isn't negative
    finite = torch.from_numpy(bits[bits < 0x7F80].copy()).view(torch.bfloat16)
    for step in (1, 2, 3, 5, 10, 13, 20, 25):
        old, new = finite[:-step].contiguous(), finite[step:].contiguous()
        for one, other in ((old, new), (new, old)):
            found = change_of(one, other, THRESHOLDS_PERCENT)
            expected = figures([(one, other)], THRESHOLDS_PERCENT)
            assert found.as_json(THRESHOLDS_PERCENT)["unchanged_percent"] == expected["unchanged_percent"]


def test_any_number_of_thresholds_is_counted() -> None:
    old, new = torch.linspace(1, 2, 1000), torch.linspace(1, 2.2, 1000)
    many = [0.01 * 2**power for power in range(14)]
    for thresholds in (many, many[:1], many[:7], []):
        found = change_of(old, new, thresholds).as_json(thresholds)["unchanged_percent"]
        assert found == figures([(old, new)], thresholds)["unchanged_percent"]


def test_two_types_are_compared_in_the_narrower() -> None:
    old, new = torch.tensor([1.0, 3.0]).bfloat16(), torch.tensor([1.001, 3.5])
    assert change_of(old, new, [1.0]) == change_of(old, new.bfloat16(), [1.0])
    assert change_of(new, old, [1.0]) == change_of(new.bfloat16(), old, [1.0])
    half = new.half()
    assert change_of(old, half, [0.05]) == change_of(old.float(), half.float(), [0.05])


def test_small_changes_of_fp32_vanish_or_grow_in_bf16() -> None:
    old = torch.full((4,), 1.0)
    new = torch.tensor([1.001, 1.003, 1.006, 1.008])
    assert change_of(old, new, [0.5]).unchanged == (2,)
    assert change_in_bf16(old, new, [0.5]).unchanged == (2,)  # 1, 1, 1.0078, 1.0078
    assert change_in_bf16(old, new, [0.5]).squared_change == pytest.approx(2 * 0.0078125**2)


@settings(max_examples=60, deadline=None)
@given(values=VALUES, scale=st.floats(-3, 3))
def test_scaling_gives_its_own_distance(values: np.ndarray, scale: float) -> None:
    old = torch.from_numpy(values).double()
    found = change_of(old, old * scale, [0.1]).relative_l2
    assert (found is None) == (not values.any())
    if found is not None:
        assert found == pytest.approx(abs(scale - 1), rel=1e-9, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(values=VALUES)
def test_what_is_identical_has_moved_by_nothing(values: np.ndarray) -> None:
    for dtype in DTYPES:
        same = torch.from_numpy(values).to(dtype)
        change = change_of(same, same.clone(), THRESHOLDS_PERCENT)
        assert change.squared_change == 0
        assert set(change.unchanged) == {len(values)}


@settings(max_examples=100, deadline=None)
@given(values=VALUES, seed=st.integers(0, 1000), scale=st.sampled_from([1e-4, 1e-2, 1.0]))
def test_cuts_add_up_to_the_whole(values: np.ndarray, seed: int, scale: float) -> None:
    old = torch.from_numpy(values)
    new = old * (1 + scale * torch.randn(len(values), generator=torch.Generator().manual_seed(seed)))
    at = len(values) // 3
    whole = change_of(old, new, THRESHOLDS_PERCENT)
    parts = change_of(old[:at], new[:at], THRESHOLDS_PERCENT) + change_of(old[at:], new[at:], THRESHOLDS_PERCENT)
    assert parts.unchanged == whole.unchanged
    assert parts.squared_change == pytest.approx(whole.squared_change, rel=1e-12)
    assert whole.unchanged == tuple(sorted(whole.unchanged))


def test_nothing_and_zeros_divide_by_nothing() -> None:
    assert change_of(torch.empty(0), torch.empty(0), [1.0]).as_json([1.0])["unchanged_percent"] == {"1": 100.0}
    zero = change_of(torch.zeros(4), torch.ones(4), [1.0])
    assert zero.relative_l2 is None
    assert zero.unchanged == (0,)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_what_is_not_finite_shows_in_the_sums(dtype: torch.dtype, value: float) -> None:
    good, bad = torch.ones(2000).to(dtype), torch.ones(2000).to(dtype)
    bad[1234] = value
    for old, new in ((good, bad), (bad, good), (bad, bad)):
        change: Change = change_of(old, new, [1.0])
        assert not math.isfinite(change.squared_change + change.squared_old)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_angle_and_common_elements_are_those_of_numpy(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(2)
    base = torch.randn(5000, generator=generator).to(dtype)
    common = torch.randn(5000, generator=generator)
    one, other = ((base.float() + 0.03 * (common + torch.randn(5000, generator=generator))).to(dtype) for _ in range(2))
    one[::2] = base[::2]
    other[::3] = base[::3]
    found = relation_of((base, one), (base, other), [0.0, 1.0])
    assert found.cosine == pytest.approx(cosine([(base, one)], [(base, other)]), abs=1e-12)
    old, first, second = (tensor.double().numpy() for tensor in (base, one, other))
    for index, share in enumerate((0.0, 0.01)):
        changed = [(side != old) & (np.abs(side - old) >= np.abs(old) * share) for side in (first, second)]
        assert found.first[index] == changed[0].sum()
        assert found.second[index] == changed[1].sum()
        assert found.both[index] == (changed[0] & changed[1]).sum()
        either = (changed[0] | changed[1]).sum()
        assert found.jaccard(index) == pytest.approx((changed[0] & changed[1]).sum() / either)


def test_a_change_lies_along_itself_and_against_its_opposite() -> None:
    base, step = torch.ones(50), torch.randn(50)
    assert relation_of((base, base + step), (base, base + 2 * step), [0.0]).cosine == pytest.approx(1)
    assert relation_of((base, base + step), (base, base - step), [0.0]).cosine == pytest.approx(-1)
    still = relation_of((base, base), (base, base + step), [0.0])
    assert still.cosine is None
    assert still.lift(0) is None
