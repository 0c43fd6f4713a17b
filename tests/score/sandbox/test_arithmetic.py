"""Plain arithmetic is computed as Python would, without running anything."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prism.score.sandbox.arithmetic import NotArithmetic, evaluate

LEAVES = st.one_of(st.integers(0, 99).map(str), st.just("x"))


def joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    two = st.tuples(parts, st.sampled_from(["+", "-", "*", "/", "//", "%", " + ", " - "]), parts)
    return st.one_of(
        two.map("".join),
        parts.map(lambda part: f"({part})"),
        parts.map(lambda part: f"-{part}"),
        parts.map("+ {}".format),
    )


@settings(deadline=None)
@given(st.recursive(LEAVES, joined, max_leaves=12), st.lists(st.integers(-9, 9), min_size=1, max_size=4))
def test_it_agrees_with_python(expression: str, inputs: list[int]) -> None:
    def python(value: int) -> float | int | None:
        try:
            found: float | int = eval(expression, {"__builtins__": {}}, {"x": value})
        except ArithmeticError:
            return None
        return found

    if len(expression) > 200:
        return
    found, wanted = evaluate(expression, "x", inputs), [python(value) for value in inputs]
    assert found == wanted
    assert list(map(type, found)) == list(map(type, wanted))


@settings(deadline=None)
@given(st.text("0123456789x+-*/%() _abcdef", max_size=60))
def test_any_text_gets_an_answer_or_is_left_to_the_sandbox(text: str) -> None:
    with contextlib.suppress(NotArithmetic):
        assert len(evaluate(text, "x", [1, 2])) == 2


@pytest.mark.parametrize(
    "text", ["x**2", "x if x else 1", "1e3", "'x'", "[x]", "x.real", "9" * 201, "x == 1", "~x", "x\n"]
)
def test_anything_else_is_left_to_the_sandbox(text: str) -> None:
    with pytest.raises(NotArithmetic):
        evaluate(text, "x", [1])


@pytest.mark.parametrize("text", ["x *", "", "y", "1 2", "x 1", "abs(x)", "x (1)", "3(x)()", "(" * 150, "07"])
def test_what_python_refuses_has_no_value(text: str) -> None:
    assert evaluate(text, "x", [1]) == [None]


@pytest.mark.parametrize("value", [True, 1.5, "1"])
def test_inputs_are_whole_numbers(value: object) -> None:
    with pytest.raises(NotArithmetic):
        evaluate("x", "x", [value])  # type: ignore[list-item]
