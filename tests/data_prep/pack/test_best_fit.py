"""Best-Fit Decreasing against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.errors import DataError
from data_prep.pack import best_fit_decreasing
from data_prep.pack.measure import measure_packing


def naive(lengths: list[int], capacity: int) -> list[int]:
    """Rooms left by best-fit decreasing as it is defined: look at every pack for every piece."""
    rooms: list[int] = []
    for length in sorted(lengths, reverse=True):
        fitting = [pack for pack, room in enumerate(rooms) if room >= length]
        if fitting:
            rooms[min(fitting, key=rooms.__getitem__)] -= length
        else:
            rooms.append(capacity - length)
    return sorted(rooms)


@st.composite
def mixes(draw: st.DrawFn) -> tuple[list[int], int]:
    capacity = draw(st.integers(1, 70))
    return draw(st.lists(st.integers(1, capacity), max_size=60)), capacity


@settings(max_examples=300, deadline=None)
@given(mixes())
def test_packs_are_those_of_the_definition(mix: tuple[list[int], int]) -> None:
    lengths, capacity = mix
    packs = best_fit_decreasing(np.array(lengths, np.int32), capacity)
    rooms = [capacity - sum(lengths[piece] for piece in packs[index]) for index in range(len(packs))]
    assert sorted(rooms) == naive(lengths, capacity)
    assert sorted(packs.order.tolist()) == list(range(len(lengths)))
    assert min(rooms, default=0) >= 0


@settings(max_examples=100, deadline=None)
@given(mixes())
def test_pieces_of_a_pack_fall_in_length_and_equal_ones_keep_their_order(mix: tuple[list[int], int]) -> None:
    lengths, capacity = mix
    packs = best_fit_decreasing(np.array(lengths, np.int64), capacity)
    for index in range(len(packs)):
        keys = [(-lengths[piece], piece) for piece in packs[index]]
        assert keys == sorted(keys)


def test_a_large_mix_packs_as_the_definition_says() -> None:
    lengths = np.random.default_rng(3).lognormal(6, 1.2, 1_500).astype(np.int64).clip(1, 4_096)
    packs = best_fit_decreasing(lengths, 4_096)
    rooms = [4_096 - int(lengths[packs[index]].sum()) for index in range(len(packs))]
    assert sorted(rooms) == naive(lengths.tolist(), 4_096)


def test_the_same_lengths_pack_the_same_way_whatever_their_type() -> None:
    lengths = np.random.default_rng(0).integers(1, 1_000, 5_000)
    frozen = lengths.astype(np.uint16)
    frozen.setflags(write=False)
    first, second = best_fit_decreasing(lengths, 1_024), best_fit_decreasing(frozen, 1_024)
    assert np.array_equal(first.order, second.order)
    assert np.array_equal(first.starts, second.starts)


def test_a_lognormal_mix_fills_packs_of_16k_to_98_percent() -> None:
    measured = measure_packing(documents=50_000, capacity=16_384)
    assert 0.98 <= measured.fill <= 1


def test_nothing_makes_no_pack() -> None:
    assert len(best_fit_decreasing(np.empty(0, np.int64), 8)) == 0


@pytest.mark.parametrize("wrong", [0, -3, 9])
def test_a_piece_that_cannot_lie_in_a_pack_is_named(wrong: int) -> None:
    with pytest.raises(DataError, match="piece 2"):
        best_fit_decreasing(np.array([8, 1, wrong]), 8)
