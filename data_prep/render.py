"""Rows to text, in their source's format; `formats` knows the look."""

from __future__ import annotations

from typing import Any

from data_prep.errors import DataError
from data_prep.formats import Turn, render_chat, render_question_answer, split_worked_answer
from data_prep.rows import Row, value
from data_prep.schema.source import SourceConfig


def render(row: Row, config: SourceConfig) -> str:
    """The document of a row.

    Raises:
        DataError: a column is missing or doesn't hold text, a question, answer or chat is empty, or a speaker unknown.
    """
    if config.format == "question_answer":
        return _question_answer(row, config)
    if config.format == "chat":
        turns = value(row, config.messages)
        if not isinstance(turns, list):
            raise _wrong_kind(row, config.messages, "list", turns)
        return render_chat([_turn(turn) for turn in turns])
    return _text(row, config.text)


def _question_answer(row: Row, config: SourceConfig) -> str:
    reasoning = _text(row, config.reasoning) if config.reasoning else None
    answer = _answer(row, config.answer)
    if config.reasoning_until:
        reasoning, answer = split_worked_answer(answer, config.reasoning_until)
    return render_question_answer(_text(row, config.question), answer, reasoning)


def _answer(row: Row, column: str) -> str:
    """An answer may be a number, as in sets of verifiable problems."""
    found = value(row, column)
    if isinstance(found, int | float) and not isinstance(found, bool):
        return str(found)
    return _text(row, column)


def _text(row: Row, column: str) -> str:
    found = value(row, column)
    if not isinstance(found, str):
        raise _wrong_kind(row, column, "str", found)
    return found


def _turn(turn: Any) -> Turn:
    """Turns are {role, content}, or {from, value}; other keys are left alone."""
    if isinstance(turn, dict):
        role, content = turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))
        if isinstance(role, str) and isinstance(content, str):
            return Turn(role, content)
    raise DataError("a turn without role and content", remedy="write turns as {role, content} or {from, value}")


def _wrong_kind(row: Row, column: str, wanted: str, found: Any) -> DataError:
    return DataError(
        f"column {column!r} should hold {wanted}, found {type(found).__name__}",
        remedy=f"correct the source's columns (here: {', '.join(row)})",
    )
