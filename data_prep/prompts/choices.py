"""Multiple choice: the lettered options in a question, and the one that a worked answer names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from data_prep.prompts.reasons import NoPrompt

_MARK = r"\**\(?(?P<letter>[A-Z])(?P<sign>[).:])\**"
_LINE = re.compile(rf"(?m)^[ \t]*(?:[-*•][ \t]+)?{_MARK}[ \t]*(?=\S)")
_INLINE = re.compile(rf"(?:(?<=\s)|^){_MARK}[ \t]+(?=\S)")
_HEADING = re.compile(r"(?i)\**\s*(?:answer\s+)?(?:options|choices|alternatives)\s*:?\s*\**\s*:?\s*$")
_LEAST, _MOST = 2, 26

_THINK_END = "</think>"
_BOXED = "\\boxed{"
_WRAPPED = re.compile(r"^\\(?:text|textbf|mathrm|mathbf|mathit|rm|bf)\s*\{(.*)\}$", re.DOTALL)
_LETTER = re.compile(r"^[\s*$({\[]*([A-Z])(?:[\s*$)}\].:]|$)")
_SAID = re.compile(
    r"(?i:\b(?:correct|right|final|best)?\s*(?:answer|option|choice)\s*(?:is|:)\s*(?:option|choice)?)[\s:*$({\[]*"
    r"(?:\\(?:boxed|text|mathrm|mathbf|textbf)\s*\{\s*)*\(?([A-Z])(?![A-Za-z'])"
)


@dataclass(frozen=True)
class Choices:
    """`question` is what stands before the options."""

    question: str
    options: tuple[str, ...]


def find_choices(text: str) -> Choices:
    """The options at the end of a question: A), (A), A. or A: on lines of their own, or one after the other in a line.

    Raises:
        NoPrompt: there are none, or two are the same.
    """
    marks = _run(list(_LINE.finditer(text))) or _run(list(_INLINE.finditer(text)))
    if not marks:
        raise NoPrompt("no lettered options in the question")
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    options = [text[mark.end() : end].strip(" \t\n,;") for mark, end in zip(marks, ends, strict=True)]
    options[-1] = options[-1].split("\n\n")[0].strip()  # an instruction may follow
    if not all(options):
        raise NoPrompt("an empty option")
    if len({_plain(option) for option in options}) < len(options):
        raise NoPrompt("two options are the same")
    question = _HEADING.sub("", text[: marks[0].start()].rstrip()).rstrip()
    if not question:
        raise NoPrompt("options without a question")
    return Choices(question, tuple(options))


def right_option(answer: str, options: Sequence[str]) -> int:
    """Which option a worked answer ends on: the last boxed letter or words, or the last `the answer is C`.

    Raises:
        NoPrompt: it names none.
    """
    final = answer.rpartition(_THINK_END)[2]
    for said in _candidates(final):
        found = _option(said, options)
        if found is not None:
            return found
    raise NoPrompt("the worked answer names no option")


def _candidates(final: str) -> list[str]:
    """What is named as the answer, the surest first."""
    found = []
    if _BOXED in final:
        found.append(_balanced(final[final.rindex(_BOXED) + len(_BOXED) :]))
    letters = _SAID.findall(final)
    if letters:
        found.append(letters[-1])
    if len(final.strip()) <= 200:
        found.append(final.strip().strip("*").removesuffix("."))
    return found


def _option(said: str, options: Sequence[str]) -> int | None:
    said = said.strip()
    while wrapped := _WRAPPED.match(said):
        said = wrapped[1].strip()
    plain = [_plain(option) for option in options]
    by_words = plain.index(_plain(said)) if _plain(said) in plain else None
    letter = _LETTER.match(said)
    place = ord(letter[1]) - ord("A") if letter else len(options)
    rest = said[letter.end() :].strip(" *$)}].:") if letter else ""
    if place >= len(options) or (rest and _plain(rest) != plain[place]):
        return by_words
    return place if by_words in (None, place) else None  # options such as `c` may be meant by their words


def _run(marks: Sequence[re.Match[str]]) -> list[re.Match[str]]:
    """The last marks that go A, B, C ... with one sign; empty when there are fewer than two."""
    best: list[re.Match[str]] = []
    for start, first in enumerate(marks):
        if first["letter"] != "A":
            continue
        run = [first]
        for mark in marks[start + 1 :]:
            if ord(mark["letter"]) == ord("A") + len(run) and mark["sign"] == first["sign"]:
                run.append(mark)
        if _LEAST <= len(run) <= _MOST and len(run) >= len(best):
            best = run
    return best


def _plain(text: str) -> str:
    """As it is compared: case, spaces, dollar signs, stars and a final point make no difference."""
    return re.sub(r"[\s$*]|\\[,;! ]", "", text).rstrip(".").casefold()


def _balanced(text: str) -> str:
    depth = 1
    for index, sign in enumerate(text):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth == 0:
            return text[:index]
    return text
