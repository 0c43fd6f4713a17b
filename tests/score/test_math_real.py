"""Gold answers of GSM8K, MATH500 and AIME24: right in every equivalent form, wrong when changed.

MATH500 and AIME24 are tried whole. `make test` tries a quarter of GSM8K, and an eleventh of the pairs of problems;
PRISM_TEST_FULL=1 tries all.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from prism.score.math import equal_all
from tests.score.math_cases import MISSING, SETS, WHY_MISSING, equivalents, evaluate, golds, number, perturbations

pytestmark = pytest.mark.skipif(MISSING, reason=WHY_MISSING)
FULL = os.environ.get("PRISM_TEST_FULL") == "1"
STRIDE = {"gsm8k": 1 if FULL else 4}


@pytest.mark.parametrize("name", SETS)
def test_gold_answers_are_right_in_at_least_99_percent_of_their_equivalent_forms(name: str) -> None:
    cases = [(gold, form, answer) for gold in golds(name)[:: STRIDE.get(name, 1)] for form, answer in equivalents(gold)]
    right = equal_all([(gold, answer) for gold, _, answer in cases])
    refused = [case for case, is_right in zip(cases, right, strict=True) if not is_right]
    assert len({form for _, form, _ in cases}) >= 10
    assert len(refused) <= 0.01 * len(cases), refused[:20]


def test_every_gold_answer_has_at_least_ten_equivalent_forms() -> None:
    counts = Counter(len(list(equivalents(gold))) for name in SETS for gold in golds(name))
    assert min(counts) >= 10


def test_at_most_two_of_thousands_of_changed_answers_are_right() -> None:
    cases = [(gold, how, answer) for gold in golds("math500") for how, answer in perturbations(gold)]
    right = equal_all([(gold, answer) for gold, _, answer in cases])
    accepted = [case for case, is_right in zip(cases, right, strict=True) if is_right]
    assert len(cases) >= 500 and len({gold for gold, _, _ in cases}) >= 250
    assert len(accepted) <= 2, accepted


def test_changed_answers_that_are_numbers_differ_by_pythons_own_arithmetic() -> None:
    """The changes themselves are checked: where both sides can be computed, they aren't equal."""
    compared = 0
    for gold in golds("math500"):
        for how, answer in perturbations(gold):
            if how == "a third more":
                continue  # a mixed number, which Python would multiply
            ours, theirs = number(gold), number(answer)
            if ours is not None and theirs is not None:
                assert ours != theirs, (gold, how, answer)
                compared += 1
            elif (left := evaluate(gold)) is not None and (right := evaluate(answer)) is not None:
                assert abs(left - right) > 1e-9, (gold, how, answer)
                compared += 1
    assert compared >= 500


def test_gold_answers_of_other_problems_are_wrong() -> None:
    distinct = sorted({gold.replace(" ", "") for gold in golds("math500") if number(gold) is None})
    pairs = [(gold, other) for gold in distinct for other in distinct if gold != other][:: 1 if FULL else 11]
    accepted = [pair for pair, is_right in zip(pairs, equal_all(pairs), strict=True) if is_right]
    assert accepted == []
