"""Keys that moved: their values, places and references follow them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.errors import RecipeError
from prism.recipe.moves import Move, moved, new_key, renamed_references

MOVES = (Move("a.b", "c.d.e"), Move("p.*.with.b", "p.*.c.e"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": {"b": 1, "z": 2}, "c": {"y": 3}}, {"a": {"z": 2}, "c": {"y": 3, "d": {"e": 1}}}),
        ({"a": {"b": None}}, {"c": {"d": {"e": None}}}),
        ({"p": {"x": {"with": {"b": 1}, "c": {"f": 2}}, "y": {}}}, {"p": {"x": {"c": {"f": 2, "e": 1}}, "y": {}}}),
        ({"a": {"b": 1}, "c": {"d": {"e": None}}}, {"c": {"d": {"e": 1}}}),
        ({"a": {"b": None}, "c": {"d": {"e": 1}}}, {"c": {"d": {"e": 1}}}),
        ({"a": {"b": [1]}, "c": {"d": {"e": []}}}, {"c": {"d": {"e": [1]}}}),
        ({"a": 5, "p": None}, {"a": 5, "p": None}),
        ({"a": {"b": 1, "z": ["${a.b}/x", "${a.bc}"]}}, {"a": {"z": ["${c.d.e}/x", "${a.bc}"]}, "c": {"d": {"e": 1}}}),
    ],
)
def test_a_value_goes_to_its_new_key_and_what_it_leaves_empty_goes(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert moved(before, MOVES) == after


def test_a_key_that_says_two_things_is_refused_with_both_names() -> None:
    with pytest.raises(RecipeError, match=r"a\.b and c\.d\.e are one key, and say 1 and 2.*keep c\.d\.e"):
        moved({"a": {"b": 1}, "c": {"d": {"e": 2}}}, MOVES)


def test_what_is_given_is_left_as_it_is() -> None:
    before = {"a": {"b": {"deep": 1}}}
    after = moved(before, MOVES)
    after["c"]["d"]["e"]["deep"] = 2
    assert before == {"a": {"b": {"deep": 1}}}


def test_keys_below_a_moved_one_move_with_it() -> None:
    assert new_key(("p", "rl", "with", "b", "0"), MOVES) == ("p", "rl", "c", "e", "0")
    assert new_key(("p", "rl", "with"), MOVES) == ("p", "rl", "with")


def test_references_follow_and_resolvers_are_left_alone() -> None:
    text = "${a.b} ${p.x.with.b} ${oc.env:a.b} ${a}"
    assert renamed_references(text, MOVES) == "${c.d.e} ${p.x.c.e} ${oc.env:a.b} ${a}"


_NAMES = st.sampled_from(["a", "b", "c", "d", "e", "p", "with", "x"])
_VALUES = st.recursive(st.integers(), lambda inner: st.dictionaries(_NAMES, inner, max_size=3), max_leaves=12)


@given(st.dictionaries(_NAMES, _VALUES, max_size=4))
def test_moving_twice_is_moving_once(values: dict[str, Any]) -> None:
    try:
        once = moved(values, MOVES)
    except RecipeError:
        return
    assert moved(once, MOVES) == once
