"""Pass rate, length and -log p of responses, right ones and wrong ones apart."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from prism.tally.confidence import Split, confidence


@dataclass(frozen=True)
class One:
    correct: bool
    tokens: int | None
    nll: float | None


def test_right_and_wrong_responses_are_told_apart() -> None:
    found = confidence([One(True, 10, 0.1), One(True, 20, 0.3), One(True, 60, 0.2), One(False, 44, 1.0)])
    assert found is not None
    assert (found.pass_rate, found.overall) == (0.75, Split(4, 32, 0.4))
    assert found.correct.median_tokens == 20 and found.correct.mean_nll == pytest.approx(0.2)
    assert found.incorrect == Split(1, 44, 1.0)
    assert found.as_json()["correct"]["responses"] == 3


def test_what_isnt_finite_counts_in_all_but_the_mean() -> None:
    found = confidence([One(False, 3, float("nan")), One(False, 5, 0.5), One(False, 9, float("inf"))])
    assert found is not None and found.overall == Split(3, 5, 0.5)
    assert found.correct == Split(0, None, None)


def test_responses_without_probabilities_say_nothing() -> None:
    assert confidence([]) is None
    assert confidence([One(True, 4, None)]) is None
