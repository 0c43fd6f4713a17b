"""Paths into rows, and the conditions that say which rows are kept."""

from __future__ import annotations

from typing import Any

import pytest

from data_prep.errors import DataError
from data_prep.rows import Keep, value
from data_prep.schema import Rule

ROW = {
    "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
    "metadata": {"score": 3, "deep.er": {"x": 1}},
    "flat.with.dots": "flat",
    "json": '{"tests": "[[5, 6]]"}',
    "none": None,
    "@path": "train/a.jsonl",
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("messages.0.content", "a"),
        ("messages.-1.role", "assistant"),
        ("metadata.score", 3),
        ("metadata.deep.er.x", 1),
        ("flat.with.dots", "flat"),
        ("json.tests.0.1", 6),
        ("json.tests", "[[5, 6]]"),
        ("none", None),
        ("@path", "train/a.jsonl"),
    ],
)
def test_a_path_finds_keys_positions_dotted_keys_and_steps_through_json_text(path: str, expected: Any) -> None:
    assert value(ROW, path) == expected


@pytest.mark.parametrize(
    "path", ["missing", "messages.2.content", "messages.x", "none.x", "flat.with.dots.x", "metadata."]
)
def test_a_path_to_nothing_is_an_error_that_names_the_column_and_the_rows_columns(path: str) -> None:
    with pytest.raises(DataError, match=f"no column '{path}'.*messages, metadata"):
        value(ROW, path)


@pytest.mark.parametrize(
    ("rule", "kept", "dropped", "reason"),
    [
        ({"equals": "right"}, ["right"], ["wrong", "Right", None, 1], "c is not right"),
        ({"equals": 1}, [1, 1.0, "1", "1.0", " 1e0 "], [2, "one", True, None], "c is not 1"),
        ({"equals": True}, [True, "true"], [False, "no", None], "c is not True"),
        ({"not_equals": -1}, [0, "0.5", "", "none", None], [-1, "-1", "-1.0"], "c is -1"),
        ({"one_of": ["a", 2]}, ["a", 2, "2"], ["b", 3], "c is none of a, 2"),
        ({"none_of": ["", "-"]}, ["x", " "], ["", "-"], "c is one of empty, -"),
        ({"at_least": 3}, [3, 3.5, "3", "1e1"], [2, "2.99", float("nan")], "c < 3"),
        ({"at_most": 0.5}, [0.5, "0"], [0.6], "c > 0.5"),
        ({"contains": "gpt-4"}, ["gpt-4-0314"], ["gpt-3.5", None], "c doesn't contain gpt-4"),
        ({"matches": "train/*"}, ["train/a"], ["test/train/a", None], "c doesn't fit train/*"),
    ],
)
def test_a_rule_keeps_drops_and_says_why(
    rule: dict[str, Any], kept: list[Any], dropped: list[Any], reason: str
) -> None:
    keep = Keep([Rule(column="c", **rule)])
    assert [keep.drop_reason({"c": found}) for found in kept] == [None] * len(kept)
    assert [keep.drop_reason({"c": found}) for found in dropped] == [reason] * len(dropped)


def test_every_condition_has_to_hold_and_the_first_that_does_not_is_told() -> None:
    keep = Keep([Rule(column="a", at_least=1, at_most=3), Rule(column="b", equals="x")])
    assert keep.drop_reason({"a": 2, "b": "x"}) is None
    assert keep.drop_reason({"a": 4, "b": "y"}) == "a > 3"
    assert keep.drop_reason({"a": 2, "b": "y"}) == "b is not x"


@pytest.mark.parametrize(
    "row",
    [
        {"score": 3},
        {"metadata": {"score": 3}},
        {"score": None, "metadata": {"score": 3}},
        {"metadata": '{"score": "3"}'},
    ],
)
def test_of_several_columns_the_first_that_the_row_has_counts(row: dict[str, Any]) -> None:
    assert Keep([Rule(column=("score", "metadata.score"), at_least=3)]).drop_reason(row) is None


@pytest.mark.parametrize("found", ["three", "", None, [3], True])
def test_a_comparison_with_what_is_no_number_is_an_error_that_names_column_and_value(found: Any) -> None:
    with pytest.raises(DataError, match="column 'c' should hold a number, found "):
        Keep([Rule(column="c", at_least=3)]).drop_reason({"c": found})


def test_a_row_without_the_column_of_a_rule_is_an_error() -> None:
    with pytest.raises(DataError, match=r"no column 'c'.*here: d"):
        Keep([Rule(column=("c", "x.c"), equals="a")]).drop_reason({"d": 1})
