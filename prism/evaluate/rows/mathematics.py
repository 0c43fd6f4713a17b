"""MATH-500, AIME and sets like them.

Mirrors name columns in their own ways: `problem`, `Problem`, `question` or `prompt`; `answer` or `Answer`.
"""

from __future__ import annotations

import re
from typing import Any

from prism.errors import BadInput
from prism.evaluate.rows.columns import Record, groups, optional_text, text_of
from prism.evaluate.rows.settings import MathRows

_PROBLEM = ("problem", "Problem", "question", "prompt")
_ANSWER = ("answer", "Answer", "expected_answer")
_ID = ("unique_id", "id", "ID")


def math_row(record: Record, settings: MathRows) -> dict[str, Any]:
    """The problem, and below it what form the answer has. Groups: `level` and `subject`, where the set has them."""
    prompt = text_of(record, *_PROBLEM)
    if "\\boxed" not in prompt.rpartition("\n")[2]:
        prompt = f"{prompt}\n{settings.instruction}"
    answer = text_of(record, *_ANSWER)
    made: dict[str, Any] = {
        "prompt": prompt,
        "answer": _integer(answer) if settings.integers else answer,
        "verifier": {"kind": "math"},
    }
    if name := optional_text(record, *_ID):
        made["id"] = name
    if found := groups(level=optional_text(record, "level"), subject=optional_text(record, "subject")):
        made["group"] = found
    return made


def _integer(answer: str) -> str:
    if not re.fullmatch(r"-?\d{1,18}", answer):
        raise BadInput("an answer that isn't a whole number", remedy="see that the file is of the set, or set integers")
    return str(int(answer))
