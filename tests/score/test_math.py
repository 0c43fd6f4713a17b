"""Math answers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from prism.errors import PrismError
from prism.score.math import equal, equal_all, final_answer
from prism.score.workers import WorkerPool

CHILD = Path(__file__).parents[2] / "prism" / "score" / "math_child.py"


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
        ("1 \\pm \\sqrt{19}", "1-\\sqrt{19},1+\\sqrt{19}"),
        ("\\cot x", "\\frac{1}{\\tan x}"),
        ("\\cot x", "\\cot(x)"),
        ("y = -2x", "2x+y=0"),
        ("y = -2x", "-2x"),
        ("5x - 7y + 11z + 4 = 0", "5x-7y+11z=-4"),
        ("(a+5)(b+2)", "ab+2a+5b+10"),
        ("1,-2", "x=1, x=-2"),
        ("1,-2", "1 \\text{ and } -2"),
        ("x=5", "5"),
        ("x \\in [-2,7]", "[-2,7]"),
        ("x^3+3x-6", "f(x)=x^3+3x-6"),
        ("10\\%", "0.1"),
        ("10\\%", "10"),
        (".35625", "0.35625"),
        ("\\frac{3}{4}", "75\\%"),
        ("\\frac{270}7\\text{ degrees}", "\\frac{270}{7}"),
        ("\\frac{270}7\\text{ degrees}", "\\frac{270}{7}^\\circ"),
        ("\\$18.90", "18.9"),
        ("\\$18.90", "$18.90"),
        ("18", "$18"),
        ("18", "\\$18.00"),
        ("58,500", "58500 \\text{ people}"),
        (".0000672", "6.72 \\times 10^{-5}"),
        ("\\{1\\pm\\sqrt{5},-2\\}", "\\{-2,1+\\sqrt5,1-\\sqrt5\\}"),
        ("(6,31,-1)", "(x,y,z) = (6, 31, -1)"),
        ("5", "The final answer is: 5."),
        ("5", "**5**"),
        ("18", "18 eggs"),
        ("18", "**Answer: 18 dollars**"),
        ("\\frac{14}{3}", "4\\frac{2}{3}"),
        ("\\frac{14}{3}", "4 2/3"),
        ("20", "\\text{20}"),
        ("\\frac{2}{21}", "$\\frac{2}{21}$ "),
        ("(-\\infty, 2) \\cup (3, \\infty)", "(3,\\infty)\\cup(-\\infty,2)"),
        ("3\\sqrt{13}", "\\sqrt{117}"),
        ("12", "12.000"),
        ("-\\frac{35}{9}", "\\frac{-35}{9}"),
        ("-\\frac{35}{9}", "\\frac{35}{-9}"),
        ("-\\frac{35}{9}", "-\\left(\\frac{35}{9}\\right)"),
        ("2516_8", "2516_{8}"),
        ("120^\\circ", "120 degrees"),
        ("2", "2\\text{ (units)}"),
        ("3R^2", "3\\cdot R^2"),
        ("8n^2 + 4n + 1", "4n(2n+1)+1"),
        ("11 \\sqrt{5} + 11", "11(1+\\sqrt5)"),
        ("15\\mbox{ cm}^2", "15 cm^2"),
        ("15\\mbox{ cm}^2", "15\\,\\mathrm{cm}^2"),
        ("15\\mbox{ cm}^2", "15 \\text{ square centimeters}"),
        ("15\\mbox{ cm}^2", "15\\text{ cm}^{2}"),
        ("864 \\mbox{ inches}^2", "864 \\text{ square inches}"),
        ("864 \\mbox{ inches}^2", "864 \\text{ in}^2"),
        ("5.4 \\text{ cents}", "5.4 cents"),
        ("0.5", "½"),
        ("x \\in [-2,7]", "-2 \\leq x \\leq 7"),
        ("(3,4]", "3 < x \\le 4"),
        ("(2,\\infty)", "x > 2"),
        ("(-\\infty,0]", "x \\le 0"),
        ("x \\ge \\frac{1}{2}", "[0.5, \\infty)"),
        ("1\\frac12", "1½"),
        ("15\\mbox{ cm}^2", "15 cm²"),
        ("\\sqrt{13}", "√13"),
        ("\\sqrt{13}", "√(13)"),
        ("x \\ge 2", "2 \\le x"),
        ("1234.5", "1,234.50"),
        ("42", "The answer is \\(42\\)."),
        ("\\text{even}", "Even"),
        ("8", "2^3"),
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
        ("52_8", "42"),
        ("864 \\mbox{ inches}^2", "864\\text{ inches}"),
        ("90^\\circ", "90\\%"),
        ("3R^2", "3r^2"),
        ("2k", "2K"),
        ("\\cot x", "\\cot y"),
        ("\\cot x", "\\tan x"),
        ("5", "5x"),
        ("5", "5!"),
        ("6", "3!!"),
        ("-3", "|-3|"),
        ("\\frac{20000}{\\pi}", "6366.197723"),
        ("\\frac{20000}{\\pi}", "6366.1977236758"),
        ("x^3+3x-6", "x^3+3x-6=0"),
        ("5x - 7y + 11z + 4 = 0", "5x-7y+11z=4"),
        ("5x - 7y + 11z + 4 = 0", "0"),
        ("y = 2x+3", "x=2y+3"),
        ("y=2x+3", "y=2x+3,y=3"),
        ("\\text{even}", "not even"),
        ("\\text{Evelyn}", "Evelyn and Navin"),
        ("\\text{(C)}", "(C) or (D)"),
        ("\\text{(C)}", "CC"),
        ("6 - 5i", "6-5j"),
        ("6 - 5i", "6+5i"),
        ("2k+2", "2(k+2)"),
        ("p - q", "q - p"),
        ("\\pi", "3.14159265358979"),
        ("\\pi", "22/7"),
        ("1,-2", "(1,-2)"),
        ("1,-2", "1"),
        ("3, 5, 7", "357"),
        ("42", "4 2"),
        ("8", "4 2"),
        ("(2,4)", "2,4"),
        ("(2,4)", "(2.0,4.01)"),
        ("(-\\infty,0]", "(\\infty,0]"),
        ("\\sqrt{51}", "\\sqrt[3]{51}"),
        ("\\sqrt{51}", "-\\sqrt{51}"),
        ("1 \\pm \\sqrt{19}", "1+\\sqrt{19}"),
        ("1 \\pm \\sqrt{19}", "1 \\pm \\sqrt{18}"),
        ("\\text{east}", "seat"),
        ("10", "10 or 20"),
        ("10", "10, 20"),
        ("10", "between 9 and 11"),
        ("10", ">9"),
        ("5", "x>5"),
        ("5", "x \\ne 5"),
        ("0.5", "50"),
        ("10\\%", "0.01"),
        ("1\\frac{4}{5}", "\\frac{14}{5}"),
        ("137 \\frac{1}{2}", "\\frac{137}{2}"),
        ("(a+5)(b+2)", "(a+2)(b+5)"),
        ("12", "12_3"),
        ("x=5", "y=5"),
        ("\\{1,2\\}", "\\{1,2,3\\}"),
        ("[0,1]", "\\{0,1\\}"),
        ("\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "\\begin{pmatrix} 2 \\\\ 1 \\end{pmatrix}"),
        ("3", "\\text{three or 3}"),
        ("7", "\\boxed{}"),
        ("7", "7 \\boxed{}"),
        ("2", "nan"),
        ("2", "\\infty"),
        ("4", "\\text{4 or 5}"),
        ("18", "18 is wrong, 19"),
        ("\\frac{1}{2}", "\\frac{1}{2}\\frac{1}{2}"),
        ("5 \\text{ cm}", "5\\text{ m}"),
        ("0", "\\emptyset"),
        ("15", "15 \\pm 1"),
        ("2", "\\{2\\}"),
        ("2", "[2]"),
        ("10", "1\\text{0}"),
        ("10", "10 = 11"),
        ("5", "5 = 5"),
        ("11", "10 = 11"),
        ("15\\mbox{ cm}^2", "15 cm³"),
        ("\\sqrt{13}", "√(14)"),
        ("3:4", "4:3"),
        ("[-2,7]", "-2 < x \\le 7"),
        ("(3,4]", "3 < x \\le 5"),
        ("(2,\\infty)", "x \\ge 2"),
        ("(2,\\infty)", "x < 2"),
        ("(2,3)", "2 < x"),
        ("(2,3)", "x"),
        ("[2,3]", "3 \\ge x \\ge 2.5"),
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
