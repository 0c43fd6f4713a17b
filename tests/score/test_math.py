"""Math answers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from data_prep.files import read_jsonl
from prism.errors import PrismError
from prism.score.math import equal, equal_all, final_answer
from prism.score.workers import WorkerPool

CHILD = Path(__file__).parents[2] / "prism" / "score" / "math_child.py"
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
        ("x^5-x^4+x^3-x^2", "-x^4+x^5+x^3-x^2"),
        ("42", "#### 42\nThat is all."),
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
        ("52_8", "52_9"),
        ("10\\text{ cm}^2", "10\\text{ cm}^3"),
        ("2 1/2", "21/2"),
        ("12", "1 2"),
        ("(1,200)", "(1200)"),
        ("3", "3\\text{or}4"),
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


def test_many_such_inputs_dont_add_up() -> None:
    """Each costs its CPU limit and a restart, several run side by side, and a tower of powers isn't tried at all."""
    pairs = [("3", f"9^{{9^9}}+{number}") for number in range(4)] + [("3", "9^{9^{9^9}}"), ("\\frac{1}{16}", "0.0625")]
    assert equal_all(pairs) == [False] * 5 + [True]


def test_a_missing_math_verify_is_an_error_and_not_a_wrong_answer() -> None:
    pool = WorkerPool([sys.executable, "-I", "-S", str(CHILD)], {}, remedy="install math-verify")
    with pytest.raises(PrismError, match=r"doesn't start.*install math-verify"):
        pool.ask_all([["1", "2"]], [5.0])


@pytest.mark.skipif(not MATH500.is_file(), reason="needs ../shared/data")
def test_gold_answers_are_right_and_perturbed_ones_wrong() -> None:
    golds = [str(row["answer"]) for row in read_jsonl(MATH500)][::9][:60]
    assert all(equal(gold, f"\\boxed{{{gold}}}") for gold in golds)
    assert not any(equal(gold, f"({gold})+1") for gold in golds if gold.isdigit())
