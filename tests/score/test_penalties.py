"""From verdict to reward."""

from __future__ import annotations

import pytest

from prism.score import Verdict
from prism.score.penalties import repeats, reward

RIGHT = Verdict(correct=True, formatted=True, answer="3")
PLAIN = [1, 2, 3, 4, 5]
STUCK = [1, 2, 3, 4] * 3


def test_only_a_right_answer_in_form_that_stops_is_rewarded() -> None:
    assert reward(RIGHT, True, PLAIN, 0.1, 0.1) == 1.0
    assert reward(Verdict(False, True, "4"), True, PLAIN, 0.1, 0.1) == 0.0
    assert reward(Verdict(True, False, "3"), True, PLAIN, 0.1, 0.1) == 0.0


def test_a_right_answer_that_doesnt_stop_loses_its_reward_and_is_penalised() -> None:
    assert reward(RIGHT, False, PLAIN, 0.1, 0.1) == pytest.approx(-0.1)


def test_penalties_reach_responses_outside_the_format() -> None:
    malformed = Verdict(False, False, None)
    assert reward(malformed, False, STUCK, 0.1, 0.2) == pytest.approx(-0.3)
    assert reward(malformed, True, STUCK, 0.1, 0.2) == pytest.approx(-0.2)


def test_a_repeating_right_answer_pays_the_penalty() -> None:
    assert reward(RIGHT, True, STUCK, 0.1, 0.2) == pytest.approx(0.8)


def test_a_run_of_four_tokens_repeats_at_its_third_occurrence() -> None:
    assert not repeats([1, 2, 3, 4] * 2)
    assert repeats(STUCK)
    assert repeats([9, 9, 9, 9, 9, 9])  # occurrences may overlap
    assert not repeats([9, 9, 9, 9, 9])
    assert not repeats([])
