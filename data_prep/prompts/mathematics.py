"""Answers of mathematics: one expression, out of the forms in which the sets publish it."""

from __future__ import annotations

import json
import re
from typing import Any

from data_prep.prompts.reasons import NoPrompt

_LONGEST = 300
"""Characters; no response with a longer answer is judged right."""

_NOTHING = frozenset({"", "-", "none", "null", "nan", "n/a", "na", "unknown", "not found", "no answer", "proof"})
_PROOF = re.compile(r"(?i)\b(?:see|the)\s+(?:proof|solution)\b|\bproved\b|\bproof\b")
_BOXED = re.compile(r"^\$*\\boxed\s*\{(.*)\}\$*\.?$", re.DOTALL)


def math_answer(found: Any) -> str:
    """The expression that an answer is compared with.

    Args:
        found: text, a number, or a list of accepted answers, of which the first is taken; lists and text may stand in
            JSON.

    Raises:
        NoPrompt: there is none, or none that can be compared.
    """
    text = _first(found)
    boxed = _BOXED.match(text)
    if boxed and _closes_last(boxed[1]):
        text = boxed[1].strip()
    if text.strip("$ .").lower() in _NOTHING:
        raise NoPrompt("no answer")
    if _PROOF.search(text):
        raise NoPrompt("the answer is a proof")
    if len(text) > _LONGEST:
        raise NoPrompt(f"an answer of more than {_LONGEST} characters")
    return text


def _first(found: Any) -> str:
    if isinstance(found, list):
        return _first(found[0]) if found else ""
    if isinstance(found, bool) or found is None:
        return ""
    if isinstance(found, int | float):
        return str(found)
    text = str(found).strip()
    if text[:1] in ("[", '"'):
        try:
            inner = json.loads(text)
        except json.JSONDecodeError:
            return text  # an interval or text, as it is
        if isinstance(inner, str) or (isinstance(inner, list) and all(isinstance(one, str) for one in inner)):
            return _first(inner)
    return text


def _closes_last(inside: str) -> bool:
    r"""Whether the brace that \boxed opens is closed by the text's last one: not so in \boxed{1} and \boxed{2}."""
    depth = 1
    for sign in inside:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth == 0:
            return False
    return depth == 1
