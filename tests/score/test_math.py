"""Math answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.files import read_jsonl
from prism.score.math import equal, final_answer

MATH500 = Path(__file__).parents[2].parent / "shared" / "data" / "math500" / "test.jsonl"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so 6 * 7 = 42\n#### 42", "42"),
        ("it is \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"),
        ("\\boxed{1} or rather \\boxed{2}", "2"),
        (" 42 ", "42"),
    ],
)
def test_the_final_answer_is_found(text: str, answer: str) -> None:
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("42", "42."),
        ("#### 1,000", "1000"),
        ("\\frac{1}{2}", "\\boxed{\\dfrac{1}{2}}"),
        ("\\frac{1}{2}", "1/2"),
        ("2\\sqrt{3}", "\\sqrt{12}"),
        ("\\{1,2\\}", "\\{2,1\\}"),
        ("\\left( 3, \\frac{\\pi}{2} \\right)", "(3,\\frac{\\pi}{2})"),
        ("x^2+x", "x+x^2"),
    ],
)
def test_equal_answers_are_right_in_any_form(gold: str, answer: str) -> None:
    assert equal(gold, answer)


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("42", "43"),
        ("42", ""),
        ("52", "52_8"),
        ("52_8", "52"),
        ("(1,2)", "\\{1,2\\}"),
        ("[1,2]", "(1,2)"),
        ("3", "3 or 4"),
        ("3", "3, 4"),
        ("3,5,7", "7,5,3"),
        ("1", "(" * 50 + "1" + ")" * 50),
        ("1", "1+0" * 400),
    ],
)
def test_unequal_answers_and_known_false_friends_are_wrong(gold: str, answer: str) -> None:
    assert not equal(gold, answer)


def test_an_input_that_never_ends_is_wrong_and_the_next_is_judged() -> None:
    assert equal("\\frac{1}{4}", "0.25")
    assert not equal("3", "9^{9^9}")
    assert equal("\\frac{1}{8}", "0.125")


@pytest.mark.skipif(not MATH500.is_file(), reason="needs ../shared/data")
def test_gold_answers_are_right_and_perturbed_ones_wrong() -> None:
    golds = [str(row["answer"]) for row in read_jsonl(MATH500)][::9][:60]
    assert all(equal(gold, f"\\boxed{{{gold}}}") for gold in golds)
    assert not any(equal(gold, f"({gold})+1") for gold in golds if gold.isdigit())
