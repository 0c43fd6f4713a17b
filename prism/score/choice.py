"""Multiple choice, answered with the option's letter or its words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prism.errors import BadInput
from prism.score.exact import normal
from prism.score.verdict import PromptRow

_LETTER = re.compile(r"^\(?([A-Z])\)?[.:]?$")


def verify_choice(rows: Sequence[PromptRow], answers: Sequence[str]) -> list[bool]:
    """The answer's last line is judged. `answer` is the right option's text or letter, `verifier.choices` the options.

    With `verifier.letters` false a response must use the option's words: where the question shows no letters, a
    letter would be a guess.

    Raises:
        BadInput: the right answer is none of the options.
    """
    return [_is_right(row, answer) for row, answer in zip(rows, answers, strict=True)]


def _is_right(row: PromptRow, answer: str) -> bool:
    settings = row["verifier"]
    choices = [normal(str(choice)) for choice in settings["choices"]]
    gold = _option(normal(str(row["answer"])), choices)
    if gold not in choices:
        raise BadInput(
            f"the answer {row['answer']!r} is none of the choices",
            place=f"prompt {row.get('id', row['prompt'])}",
            remedy="give the right option's text or letter as `answer`",
        )
    said = normal(answer.strip().rpartition("\n")[2])
    return gold == (_option(said, choices) if settings.get("letters", True) else said)


def _option(text: str, choices: Sequence[str]) -> str:
    """The option that `text` names; a letter stands for the option at its place unless it is an option itself."""
    match = _LETTER.match(text)
    if text not in choices and match and (place := ord(match[1]) - ord("A")) < len(choices):
        return choices[place]
    return text
