"""Multiple choice, answered with the option's letter or its words, in the form that the prompt asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from prism.errors import BadInput
from prism.score.choice_templates import CHOICE_TEMPLATES, ChoiceTemplate
from prism.score.exact import normal
from prism.score.verdict import PromptRow

_LONGEST = 20_000
_MOST_WRAPPINGS = 3
_FREE = ("answer_letter", "the_answer_is", "boxed_letter", "answer_tag")
_LETTER = re.compile(r"\(?([A-Za-z])\)?[.:]?")
_LETTER_AND_WORDS = re.compile(r"\(?([A-Z])(?:\)|[.:)])\s*(.+)|([A-Z])\s+[-–—]\s+(.+)", re.DOTALL)
_WRAPPED = re.compile(
    r"\\(?:text|textbf|mathrm|mathbf|boxed)\{([^{}]*)\}|\*\*([^*]*)\*\*|\$([^$]*)\$|[\"'`]([^\"'`]*)[\"'`]"
)


def verify_choice(rows: Sequence[PromptRow], answers: Sequence[str]) -> list[bool]:
    """Right when the answer states the right option and no other.

    `answer` is the right option's text or letter, `verifier.choices` the options. `verifier.template` names the form
    that was asked for (prism.score.choice_templates): all its occurrences must state the same option. Without one the
    answer's last line is judged, alone or in one of the usual forms.

    With `verifier.letters` false an answer without template must use the option's words: where the question shows no
    letters, a letter would be a guess.

    Raises:
        BadInput: the right answer is none of the options, or the template is unknown.
    """
    return [_is_right(row, answer) for row, answer in zip(rows, answers, strict=True)]


def _is_right(row: PromptRow, answer: str) -> bool:
    settings = row["verifier"]
    if not isinstance(settings.get("choices"), list | tuple):
        raise _bad(row, "a multiple-choice prompt without options", "a list of options as `verifier.choices`")
    choices = [normal(str(choice)) for choice in settings["choices"]]
    gold = _option(normal(str(row["answer"])), choices, letters=True, words=True)
    if gold is None:
        raise _bad(row, f"the answer {row['answer']!r} is none of the choices", "the right option's text or letter")
    answer = answer.strip()[-_LONGEST:]
    name = settings.get("template")
    if name is None:
        return _said(answer, choices, bool(settings.get("letters", True))) == gold
    if name not in CHOICE_TEMPLATES:
        raise _bad(row, f"template {name!r}", f"one of {', '.join(CHOICE_TEMPLATES)} as `verifier.template`")
    return _stated(CHOICE_TEMPLATES[name], answer, choices) == gold


def _bad(row: PromptRow, message: str, give: str) -> BadInput:
    place = f"prompt {row.get('id', row.get('prompt', '?'))}"
    return BadInput(message, place=place, remedy=f"give {give}")


def _stated(template: ChoiceTemplate, answer: str, choices: Sequence[str]) -> int | None:
    return _single(
        _option(text, choices, letters=not template.in_words, words=template.in_words)
        for text in template.stated(answer)
    )


def _said(answer: str, choices: Sequence[str], letters: bool) -> int | None:
    """The option that the last line is or states."""
    line = answer.rpartition("\n")[2]
    whole = _option(line, choices, letters=letters, words=True)
    if whole is not None:
        return whole
    return _single(
        _option(text, choices, letters=letters, words=True)
        for name in _FREE
        for text in CHOICE_TEMPLATES[name].stated(line)
    )


def _single(options: Iterable[int | None]) -> int | None:
    """The option that all name; None when they differ, when one names none, or when there are none."""
    found = set(options)
    return found.pop() if len(found) == 1 else None


def _option(text: str, choices: Sequence[str], *, letters: bool, words: bool) -> int | None:
    """Place of the option that `text` names: by its words, its letter, or both where they agree.

    Where words count, a letter that is an option's text stands for that option.
    """
    text = normal(text)
    for _ in range(_MOST_WRAPPINGS):
        if words and (place := _place(text, choices)) is not None:
            return place
        if letters and (place := _lettered(text, choices)) is not None:
            return place
        text = _bare(text)
    return None


def _place(text: str, choices: Sequence[str]) -> int | None:
    if text in choices:
        return choices.index(text)
    folded = [choice.casefold() for choice in choices]
    return folded.index(text.casefold()) if folded.count(text.casefold()) == 1 else None


def _lettered(text: str, choices: Sequence[str]) -> int | None:
    if match := _LETTER.fullmatch(text):
        place = ord(match[1].upper()) - ord("A")
        return place if place < len(choices) else None
    if match := _LETTER_AND_WORDS.fullmatch(text):
        place = ord(match[1] or match[3]) - ord("A")
        if place < len(choices) and place == _place(_bare(match[2] or match[4]), choices):
            return place
    return None


def _bare(text: str) -> str:
    """Without what may stand around an option: a full stop, bold, dollars, quotes, TeX's text."""
    text = text.strip().strip(".*").strip()
    match = _WRAPPED.fullmatch(text)
    return next(group for group in match.groups() if group is not None).strip() if match else text
