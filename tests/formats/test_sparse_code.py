"""Differences between bf16 tensors: every bit comes back, in no more bytes than the tensor has."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from prism.formats.sparse_code import Undecodable, bit_patterns, decode, encode

ODD = [0x0000, 0x8000, 0x7F80, 0xFF80, 0x7FC0, 0xFFC1, 0x7F81, 0x0001, 0x8001, 0x7F7F, 0xFFFF]
"""0, -0, infinities, NaNs quiet and signalling, the smallest and the largest."""
SHAPES = st.one_of(st.just(()), array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=12))
PATTERNS = st.one_of(st.sampled_from(ODD), st.integers(0, 0xFFFF))


def tensor(patterns: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(patterns)).reshape(patterns.shape).view(torch.bfloat16)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor]:
    """Two tensors of one shape, the second with a drawn share of its elements drawn anew or moved a little."""
    shape = draw(SHAPES)
    old = draw(arrays(np.uint16, shape, elements=PATTERNS))
    other = draw(arrays(np.uint16, shape, elements=PATTERNS))
    near = old + draw(arrays(np.uint16, shape, elements=st.sampled_from([1, 0xFFFF, 3, 127, 128, 0xFF80])))
    kind = draw(arrays(np.uint8, shape, elements=st.sampled_from(draw(st.sampled_from([[0], [1], [2], [0, 1, 2]])))))
    return tensor(old), tensor(np.where(kind == 0, old, np.where(kind == 1, near, other)).astype(np.uint16))


@given(pairs())
@settings(max_examples=400, deadline=None)
def test_every_bit_comes_back_in_no_more_bytes_than_the_tensor_has(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    old, new = pair
    kept = bit_patterns(old).copy()
    found = encode(old, new)
    back = decode(old, found.arrays)
    assert back.shape == new.shape
    assert (bit_patterns(back) == bit_patterns(new)).all()
    assert (bit_patterns(old) == kept).all()
    assert found.changed == int((bit_patterns(old) != bit_patterns(new)).sum())
    assert found.bytes <= 2 * new.numel()


@given(
    st.lists(st.one_of(st.integers(0, 300), st.integers(65_000, 66_200), st.just(131_070)), min_size=1, max_size=6),
    st.integers(0, 200_000),
)
@settings(max_examples=60, deadline=None)
def test_changes_far_apart_come_back(gaps: list[int], tail: int) -> None:
    at = np.cumsum(np.array(gaps) + 1) - 1
    old = torch.zeros(int(at[-1]) + 1 + tail, dtype=torch.bfloat16)
    new = old.clone()
    new[torch.from_numpy(at)] = 1.5
    found = encode(old, new)
    assert torch.equal(decode(old, found.arrays), new)
    assert found.changed == len(gaps)


@pytest.mark.parametrize(("share", "places"), [(0.0005, "gaps16"), (0.02, "gaps8"), (0.3, "bitmap"), (1.0, "whole")])
def test_the_smallest_coding_is_taken(share: float, places: str) -> None:
    generator = torch.Generator().manual_seed(1)
    old = torch.randn(1 << 18, generator=generator).bfloat16()
    new = torch.where(torch.rand(1 << 18, generator=generator) < share, torch.randn(1 << 18).bfloat16(), old)
    assert next(iter(encode(old, new).arrays)) == places


def test_neighbouring_values_take_two_bytes_a_change_and_a_far_one_two_more() -> None:
    old = torch.randn(100_000, generator=torch.Generator().manual_seed(1)).bfloat16()
    new = old.clone()
    new.view(torch.int16)[::20] += 1
    new[40] = -7
    found = encode(old, new)
    assert {name: len(array) for name, array in found.arrays.items()} == {"gaps8": 5_000, "moves": 5_000, "far": 1}
    assert found.bytes == 10_002


def test_nothing_changed_is_no_bytes() -> None:
    old = torch.tensor([0.0, -0.0, float("nan"), float("inf")], dtype=torch.bfloat16)
    assert encode(old, old.clone()).bytes == 0


@pytest.mark.parametrize(
    "arrays",
    [
        {"gaps8": np.array([200], np.uint8), "values": np.array([1], np.uint16)},
        {"gaps8": np.array([2], np.uint8), "values": np.array([1, 2], np.uint16)},
        {"gaps8": np.array([2], np.uint8), "moves": np.array([-128], np.int8)},
        {"gaps8": np.array([2], np.uint8), "moves": np.array([1], np.int8), "far": np.array([1], np.uint16)},
        {"gaps8": np.array([2], np.uint8)},
        {"bitmap": np.array([1, 1, 1], np.uint8), "moves": np.array([1], np.int8)},
        {"moves": np.array([1], np.int8)},
        {"whole": np.array([1], np.uint16)},
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(Undecodable):
        decode(torch.zeros(10, dtype=torch.bfloat16), arrays)
