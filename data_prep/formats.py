"""How documents look as text: question and answer, reasoning, chat (paper section 3.1).

The one place that knows. Mid-training data is written by it, and the prompts of RL and evaluation are beginnings
of what it writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from data_prep.errors import DataError

SEPARATOR = "\n"
THINK_OPEN = "<think>"
THINK_CLOSE = "</think>"
SPEAKERS = {"user": "User", "human": "User", "assistant": "Assistant", "gpt": "Assistant"}


@dataclass(frozen=True)
class Turn:
    """An utterance: who (`user` or `assistant`) said what."""

    role: str
    content: str


def render_prompt(question: str) -> str:
    """What a model sees before it answers: the question and ONE line break."""
    return _required(question, "question") + SEPARATOR


def render_answer(answer: str, reasoning: str | None = None) -> str:
    """`<think> reasoning </think> answer`, or the answer alone."""
    answer = _required(answer, "answer")
    return f"{THINK_OPEN} {reasoning.strip()} {THINK_CLOSE} {answer}" if reasoning else answer


def render_question_answer(question: str, answer: str, reasoning: str | None = None) -> str:
    """A document: the prompt, then the answer."""
    return render_prompt(question) + render_answer(answer, reasoning)


def split_worked_answer(text: str, mark: str) -> tuple[str, str]:
    """(reasoning, answer) of a worked answer such as GSM8K's, where `mark` (####) stands before the answer.

    Raises:
        DataError: the mark is missing.
    """
    reasoning, found, answer = text.rpartition(mark)
    if not found:
        raise DataError(f"no {mark!r} in the answer", remedy="leave reasoning_until out, or mend the row")
    return reasoning.strip(), answer.strip()


def render_chat(turns: Sequence[Turn]) -> str:
    """Every utterance behind its speaker, one a line: `User: ...`, `Assistant: ...`.

    Raises:
        DataError: no turn, or a role that isn't user or assistant.
    """
    if not turns:
        raise DataError("a chat without turns", remedy="filter empty chats out")
    return SEPARATOR.join(f"{speaker(turn.role)}: {turn.content.strip()}" for turn in turns)


def speaker(role: str) -> str:
    """`User` or `Assistant`. Raises DataError for another role."""
    try:
        return SPEAKERS[role.lower()]
    except KeyError:
        raise DataError(
            f"unknown role {role!r}", remedy=f"map it to one of {', '.join(SPEAKERS)}, or filter it out"
        ) from None


def _required(text: str, what: str) -> str:
    stripped = text.strip()
    if not stripped:
        raise DataError(f"empty {what}", remedy="filter such rows out")
    return stripped
