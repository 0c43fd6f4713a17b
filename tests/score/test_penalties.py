"""What is wrong with a response whatever its answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.score.penalties import overlong, repeats

STUCK = [1, 2, 3, 4] * 3
RESPONSES = st.lists(st.integers(0, 3), max_size=60)


def stuck(tokens: list[int], run: int = 4, times: int = 3, share: float = 0.0) -> bool:
    return repeats(tokens, run=run, times=times, share=share)


def test_a_run_of_four_tokens_repeats_at_its_third_occurrence() -> None:
    assert not stuck([1, 2, 3, 4] * 2)
    assert stuck(STUCK)
    assert stuck([9, 9, 9, 9, 9, 9])  # occurrences may overlap
    assert not stuck([9, 9, 9, 9, 9])
    assert not stuck([])


def test_only_repeated_runs_count_towards_the_share() -> None:
    others = list(range(100, 100 + 12))
    assert stuck(others + STUCK, share=0.5)
    assert not stuck([*others, 99, *STUCK], share=0.5)
    assert stuck([*others, 99, *STUCK], share=0.47)


def test_phrases_that_come_again_in_a_long_argument_are_no_repetition() -> None:
    argument = [token for step in range(40) for token in (1, 2, 3, 4, *range(1000 * step + 5, 1000 * step + 25))]
    assert stuck(argument, share=0.0)
    assert not stuck(argument, share=0.5)


@given(RESPONSES, st.integers(1, 5), st.integers(2, 4), st.floats(0, 1))
def test_repetition_is_what_counting_by_hand_finds(tokens: list[int], run: int, times: int, share: float) -> None:
    starts = range(len(tokens) - run + 1)
    again = [
        start
        for start in starts
        if sum(tokens[other : other + run] == tokens[start : start + run] for other in starts) >= times
    ]
    covered = {start + place for start in again for place in range(run)}
    assert repeats(tokens, run=run, times=times, share=share) is (bool(again) and len(covered) >= share * len(tokens))


def test_a_response_costs_more_and_more_between_two_lengths() -> None:
    costs = [overlong(length, start=100, full=200) for length in (0, 100, 101, 150, 199, 200, 5_000)]
    assert costs == pytest.approx([0, 0, 0.01, 0.5, 0.99, 1, 1])
