"""Multiple choice, answered with the option's letter or its words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prism.score.exact import normal
from prism.score.verdict import PromptRow

_LETTER = re.compile(r"^\(?([A-Z])\)?[.:]?$")


def verify_choice(rows: Sequence[PromptRow], answers: Sequence[str]) -> list[bool]:
    """`answer` is the right option's text or letter; `verifier.choices` lists the options."""
    return [_is_right(row, answer) for row, answer in zip(rows, answers, strict=True)]


def _is_right(row: PromptRow, answer: str) -> bool:
    choices = [normal(str(choice)) for choice in row["verifier"].get("choices", [])]
    return _option(normal(answer), choices) == _option(normal(str(row["answer"])), choices)


def _option(text: str, choices: Sequence[str]) -> str:
    """The option that `text` names; a letter stands for the option at its place unless it is an option itself."""
    match = _LETTER.match(text)
    if text not in choices and match and (place := ord(match[1]) - ord("A")) < len(choices):
        return choices[place]
    return text
