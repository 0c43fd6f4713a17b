"""Questions of evaluation sets, and which words of them are searched for, where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep.errors import DataError
from data_prep.read import read_rows
from data_prep.rows import value
from data_prep.schema import SourceConfig
from data_prep.schema.decontamination import EvaluationSet
from data_prep.words.split import Words, split_words

_LONG_ENOUGH = 8
_LEAST_WORDS = 3
_LEAST_DIGITS = 3
_WORD = re.compile(r"[^\W\d_]{4,}")
_SET_FOR_INSTRUCTIONS = 10
_MARKS_BEFORE, _MARKS_AFTER = '\n.?!:;"“”|\t>', '\n.?!;"“”|\t<'


@dataclass(frozen=True)
class EvaluationQuestion:
    """A question of an evaluation set; `id` is its place in the set."""

    set: str
    id: str
    text: str
    answer: str | None = None


class Where(IntEnum):
    """Where a whole question counts as found."""

    ANYWHERE = 0
    ALONE = 1
    """Standing by itself, between line breaks, ends of sentences or quotes: in passing, its words could be anyone's."""
    NOWHERE = 2


def read_questions(sets: Mapping[str, EvaluationSet]) -> Iterator[EvaluationQuestion]:
    """All questions, in the order of the sets and their rows.

    Raises:
        DataError: a set has no file, or a row lacks the question.
    """
    for name, config in sets.items():
        # reads just these columns of a Parquet file
        source = SourceConfig(
            path=config.path,
            reader=config.reader,
            format="question_answer",
            question=config.question,
            answer=config.answer or config.question,
        )
        for place, row in read_rows(source, Path()):
            question = _column(row, config.question, place, f"data.decontamination.sets.{name}.question")
            if not isinstance(question, str):
                raise DataError(
                    f"column {config.question!r} should hold the question, found {type(question).__name__}",
                    place=place,
                    remedy=f"correct data.decontamination.sets.{name}.question, or the row",
                )
            answer = None
            if config.answer is not None:
                found = _column(row, config.answer, place, f"data.decontamination.sets.{name}.answer")
                answer = found if found is None or isinstance(found, str) else str(found)
            yield EvaluationQuestion(name, place.rpartition("/")[2], question, answer)


def question_words(questions: Sequence[EvaluationQuestion]) -> list[Words]:
    """The words of one set's questions, without the instructions that all of them begin or end with.

    Only whole lines and sentences are instructions: what else all questions share (`What is ...`) is theirs.
    """
    all_words = [split_words(question.text) for question in questions]
    distinct = list({words.hashes.tobytes(): words for words in all_words}.values())
    if len(distinct) < _SET_FOR_INSTRUCTIONS:
        return all_words
    before = _shared([words.hashes for words in distinct], 1)
    while before and not all(_ends_at(words, before, _MARKS_BEFORE) for words in distinct):
        before -= 1
    after = _shared([words.hashes[before:] for words in distinct], -1)
    while after and not all(_ends_at(words, len(words.hashes) - after, _MARKS_AFTER) for words in distinct):
        after -= 1
    return [words.cut(before, len(words.hashes) - after) for words in all_words]


def where_found(count: int, text: str) -> Where:
    """For a question of `count` words, fewer than an n-gram.

    Eight words are enough anywhere, inside a sentence too; so are three to seven with a word and at least three digits
    among them (`Simplify \\sqrt{242}`). Others of three to seven (`What is a gene?`) must stand alone. One or two
    (`Neural networks`) are a heading as often as a question; no search could tell.
    """
    digits = sum(character.isdigit() for character in text)
    if count >= _LONG_ENOUGH or (count >= _LEAST_WORDS and digits >= _LEAST_DIGITS and _WORD.search(text)):
        return Where.ANYWHERE
    return Where.ALONE if count >= _LEAST_WORDS else Where.NOWHERE


def stands_alone(words: Words, first: int, last: int) -> bool:
    """Whether words `first` to `last` fill a line, sentence, quote or cell; a colon may come before."""
    return _ends_at(words, first, _MARKS_BEFORE) and _ends_at(words, last + 1, _MARKS_AFTER)


def _ends_at(words: Words, place: int, marks: str) -> bool:
    """Whether one of `marks` is between word `place` and the one before; so are both ends of the text."""
    if not 0 < place < len(words.starts):
        return True
    return any(mark in marks for mark in words.text[words.stops[place - 1] : words.starts[place]])


def _column(row: Mapping[str, Any], column: str, place: str, key: str) -> Any:
    try:
        return value(dict(row), column)
    except DataError as error:
        there = ", ".join(name for name in row if not name.startswith("@"))
        raise DataError(error.message, place=place, remedy=f"correct {key} (here: {there})") from None


def _shared(all_words: Sequence[NDArray[np.uint64]], step: int) -> int:
    """Words that all begin with (step 1) or end with (step -1); at least one word of each is left."""
    turned = [words[::step] for words in all_words]
    most = max(min(map(len, turned)) - 1, 0)
    for count in range(most):
        if any(words[count] != turned[0][count] for words in turned):
            return count
    return most
