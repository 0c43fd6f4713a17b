"""Rows to text in every format."""

from __future__ import annotations

from typing import Any

import pytest

from data_prep.errors import DataError
from data_prep.render import render
from data_prep.schema import SourceConfig

QA = {"format": "question_answer"}
CHAT = {"format": "chat"}


@pytest.mark.parametrize(
    ("settings", "row", "text"),
    [
        ({}, {"text": " as it is\n"}, " as it is\n"),
        ({"text": "a.b"}, {"a": {"b": "deep"}}, "deep"),
        (QA, {"question": " q\n", "answer": "a "}, "q\na"),
        (QA, {"question": "q", "answer": 42}, "q\n42"),
        ({**QA, "reasoning": "r"}, {"question": "q", "answer": "a", "r": "why"}, "q\n<think> why </think> a"),
        ({**QA, "reasoning_until": "####"}, {"question": "q", "answer": "6*7\n#### 42"}, "q\n<think> 6*7 </think> 42"),
        (
            {**QA, "question": "m.0.content", "answer": "m.-1.content"},
            {"m": [{"content": "q"}, {"content": "a"}]},
            "q\na",
        ),
        ({**QA, "answer": "info.truth.0"}, {"question": "q", "info": '{"truth": "[\\"7\\"]"}'}, "q\n7"),
        (
            CHAT,
            {"messages": [{"role": "user", "content": "a"}, {"role": "Assistant", "content": "b", "toxic": False}]},
            "User: a\nAssistant: b",
        ),
        (
            {**CHAT, "messages": "turns"},
            {"turns": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
            "User: a\nAssistant: b",
        ),
    ],
)
def test_a_row_is_rendered_in_its_sources_format(settings: dict[str, Any], row: dict[str, Any], text: str) -> None:
    assert render(row, SourceConfig(**settings)) == text


@pytest.mark.parametrize(
    ("settings", "row", "error"),
    [
        ({}, {"body": "x"}, "no column 'text'.*here: body"),
        ({}, {"text": 7}, "column 'text' should hold str, found int"),
        ({}, {"text": None}, "column 'text' should hold str, found NoneType"),
        (QA, {"question": "q", "answer": True}, "column 'answer' should hold str, found bool"),
        (QA, {"question": 5, "answer": "a"}, "column 'question' should hold str, found int"),
        (QA, {"question": "  ", "answer": "a"}, "empty question"),
        (QA, {"question": "q", "answer": ""}, "empty answer"),
        ({**QA, "reasoning_until": "####"}, {"question": "q", "answer": "42"}, "no '####' in the answer"),
        (CHAT, {"messages": []}, "a chat without turns"),
        (CHAT, {"messages": "hello"}, "column 'messages' should hold list, found str"),
        (CHAT, {"messages": [{"role": "tool", "content": "x"}]}, "unknown role 'tool'"),
        (CHAT, {"messages": [{"role": "user", "content": None}]}, "a turn without role and content"),
        (CHAT, {"messages": ["hello"]}, "a turn without role and content"),
    ],
)
def test_a_row_that_can_not_be_rendered_is_an_error(settings: dict[str, Any], row: dict[str, Any], error: str) -> None:
    with pytest.raises(DataError, match=error):
        render(row, SourceConfig(**settings))
