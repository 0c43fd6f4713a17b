"""RULER's score against examples worked out by hand."""

from __future__ import annotations

import pytest

from prism.evaluate.ruler.score import share_found


@pytest.mark.parametrize(
    ("response", "expected", "share"),
    [
        ("The numbers are 1234567 and 7654321.", ["1234567", "7654321"], 1.0),
        ("The numbers are 1234567 and 7654320.", ["1234567", "7654321"], 0.5),
        ("nothing of the kind", ["1234567", "7654321", "1111111", "2222222"], 0.0),
        ("ABCDE fghij", ["abcde", "FGHIJ", "KLMNO", "PQRST", "UVWXY"], 0.4),
        ("12345678", ["1234567"], 1.0),
        ("", ["x"], 0.0),
    ],
)
def test_each_expected_string_counts_alike(response: str, expected: list[str], share: float) -> None:
    assert share_found(response, expected) == pytest.approx(share)


def test_one_of_the_answers_to_a_question_is_enough() -> None:
    answers = ["Duke Otto", "Otto of Alburg"]
    assert share_found("It was duke otto.", answers, one_is_enough=True) == 1.0
    assert share_found("It was Ludolf.", answers, one_is_enough=True) == 0.0


def test_a_score_needs_something_expected() -> None:
    with pytest.raises(ValueError, match="at least one"):
        share_found("x", [])
