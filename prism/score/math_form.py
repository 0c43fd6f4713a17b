"""The form of a math answer: a list, a tuple or interval, a set, a union, a matrix, or one value with its unit.

Forms are compared here, exactly; what is left are pairs of plain expressions, for math-verify. It never sees what it
is known to take for equal wrongly: lists in another order, sets for tuples, other subscripts, other units.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from prism.score.math_text import closes_at, deepest, split, tidy, without_thousands
from prism.score.math_value import Value, equal_numbers, equal_units, exact_body, read_number, read_value

Pairs = tuple[tuple[str, str], ...]
"""Expressions of the gold answer and of the answer that must all be equal; none means that the answers are."""

_MATRIX = re.compile(r"\\begin\{pmatrix\}(.*)\\end\{pmatrix\}", re.DOTALL)
_AND = re.compile(r"\s*,?\s*(?:\\text\{\s*(?:and|or)\s*\}|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z]))\s*")
_OR = re.compile(r"(?<![A-Za-z\\])or(?![A-Za-z])")
_PREFIX = re.compile(
    r"^(?:[A-Za-z] ?\\in(?![A-Za-z]) ?|(?:[A-Za-z]|\([A-Za-z](?: ?, ?[A-Za-z])+\)) ?= ?(?=[(\[]|\\\{|\\begin))"
)
_BOUNDS = re.compile(r"(?:([^<>]+?)(<|\\le)\s?)?[A-Za-z](?:(<|>|\\le|\\ge)\s?([^<>]+))?")
DEEPEST = 10
"""Brackets within brackets from which an answer isn't taken apart any more."""


@dataclass(frozen=True)
class Group:
    """Several answers.

    opens, closes: a tuple's or interval's brackets.
    ordered: false where the order says nothing: sets, unions, a plus-minus, "3 or 4".
    """

    kind: Literal["list", "tuple", "set", "union", "matrix"]
    items: tuple[Form, ...]
    opens: str = ""
    closes: str = ""
    ordered: bool = True


Form = Group | Value


def read_form(text: str) -> Form:
    """Takes an answer apart. A deep nest is taken for one value."""
    if (number := read_number(text)) is not None:
        return Value(text, text, number=number)
    text = tidy(text)
    if deepest(text) > DEEPEST:
        return read_value(text)
    text = _PREFIX.sub("", text, count=1)
    if matrix := _MATRIX.fullmatch(text):
        rows = [split(row, "&") for row in split(matrix[1], "\\\\") if row]
        return Group("matrix", tuple(Group("list", tuple(read_form(cell) for cell in row)) for row in rows))
    if len(parts := split(text, "\\cup")) > 1:
        return Group("union", tuple(read_form(part) for part in parts), ordered=False)
    if text.startswith("\\{") and text.endswith("\\}") and closes_at(text[1:]) == len(text) - 2:
        return Group("set", _items(text[2:-2], inner=True), ordered=False)
    if text[:1] in ("(", "[") and text[-1:] in (")", "]") and closes_at(text) == len(text) - 1:
        items = _items(text[1:-1], inner=True)
        if len(items) == 1 and text[0] == "(" and text[-1] == ")":
            return items[0]
        return Group("tuple", items, text[0], text[-1])
    items = _items(without_thousands(_AND.sub(", ", text)))
    return items[0] if len(items) == 1 else Group("list", items, ordered="\\pm" not in text and not _OR.search(text))


def compare(gold: Form, answer: Form) -> Pairs | None:
    """What is left to show; None where the answers differ."""
    if isinstance(gold, Value) and isinstance(answer, Value):
        return _compare_values(gold, answer)
    gold, answer = _as_interval(gold), _as_interval(answer)
    if isinstance(gold, Value) or isinstance(answer, Value):
        return None
    ours, theirs = ((one.kind, len(one.items), one.opens, one.closes) for one in (gold, answer))
    if ours != theirs:
        return None
    if gold.ordered:
        return _all(gold.items, answer.items)
    return _match(gold.items, answer.items)


def _items(text: str, *, inner: bool = False) -> tuple[Form, ...]:
    """Forms between commas; a plus-minus stands for two. `inner`: the brackets around them are gone."""
    parts = split(text, ",")
    if len(parts) > 1 and parts[-1] == "":
        parts.pop()
    read = read_form if inner or len(parts) > 1 else read_value
    return tuple(form for part in parts for form in _signs(part) or (read(part),))


def _signs(text: str) -> tuple[Form, ...]:
    if text.count("\\pm") != 1 or "(" in text:
        return ()
    return tuple(read_value(text.replace("\\pm", sign)) for sign in "+-")


def _as_interval(form: Form) -> Form:
    """1 < x \\le 2 as the interval (1, 2]; other forms stay as they are."""
    found = _BOUNDS.fullmatch(form.whole) if isinstance(form, Value) and form.equation else None
    if found is None:
        return form
    lower, from_lower, to_bound, bound = found.groups()
    if from_lower is None and to_bound in (">", "\\ge"):
        return Group("tuple", (read_form(bound), read_form("\\infty")), "(" if to_bound == ">" else "[", ")")
    if to_bound in (">", "\\ge") or (from_lower is None and to_bound is None):
        return form
    opens = "[" if from_lower == "\\le" else "("
    closes = "]" if to_bound == "\\le" else ")"
    return Group("tuple", (read_form(lower or "-\\infty"), read_form(bound or "\\infty")), opens, closes)


def _compare_values(gold: Value, answer: Value) -> Pairs | None:
    if gold.equation or answer.equation:
        return _compare_equations(gold, answer)
    if gold.name and answer.name and gold.name != answer.name:
        return None
    if gold.base != answer.base or not equal_units(gold, answer):
        return None
    if gold.word or answer.word:
        return () if (gold.word or gold.body.casefold()) == (answer.word or answer.body.casefold()) else None
    if gold.body == answer.body:
        return () if gold.body else None
    if gold.number is not None and answer.number is not None:
        return () if equal_numbers(gold, answer) else None
    if gold.base or not gold.body or not answer.body:
        return None
    return ((exact_body(gold), exact_body(answer)),)


def _compare_equations(gold: Value, answer: Value) -> Pairs | None:
    """An equation equals another equation, or the same written as a name's value; never a value alone."""
    if gold.whole == answer.whole:
        return ()
    if (gold.equation or gold.name) and (answer.equation or answer.name):
        return ((gold.whole, answer.whole),)
    return None


def _all(gold: Sequence[Form], answer: Sequence[Form]) -> Pairs | None:
    found: Pairs = ()
    for ours, theirs in zip(gold, answer, strict=True):
        pairs = compare(ours, theirs)
        if pairs is None:
            return None
        found += pairs
    return found


def _match(gold: Sequence[Form], answer: Sequence[Form]) -> Pairs | None:
    """In any order: what is equal here already is paired first, the rest in the order given."""
    rest = list(answer)
    left: list[Form] = []
    for ours in gold:
        same = next((index for index, theirs in enumerate(rest) if compare(ours, theirs) == ()), None)
        if same is None:
            left.append(ours)
        else:
            del rest[same]
    return _all(left, rest)
