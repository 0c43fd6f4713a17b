"""Questions of evaluation sets, and which words of them are searched for, where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.dedup.words import Words, split_words
from data_prep.errors import DataError
from data_prep.read import read_rows
from data_prep.rows import value
from data_prep.schema import SourceConfig
from data_prep.schema.decontamination import EvaluationSet

_LONG_ENOUGH = 8
_LEAST_WORDS = 3
_LEAST_DIGITS = 3
_TELLING_LETTERS = 4
_SET_FOR_INSTRUCTIONS = 10


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
    SENTENCE = 1
    """Standing by itself, between line breaks or ends of sentences: its words alone could be anyone's."""
    NOWHERE = 2


def read_questions(sets: Mapping[str, EvaluationSet]) -> Iterator[EvaluationQuestion]:
    """All questions, in the order of the sets and their rows.

    Raises:
        DataError: a set has no file, or a row lacks the question.
    """
    for name, config in sets.items():
        source = SourceConfig(path=config.path, reader=config.reader)
        for place, row in read_rows(source, Path()):
            try:
                question = value(row, config.question)
                answer = value(row, config.answer) if config.answer is not None else None
                if not isinstance(question, str):
                    raise DataError(
                        f"column {config.question!r} should hold the question, found {type(question).__name__}"
                    )
            except DataError as error:
                remedy = error.remedy or f"correct decontamination.sets.{name}.question"
                raise DataError(error.message, place=place, remedy=remedy) from None
            answer = answer if answer is None or isinstance(answer, str) else str(answer)
            yield EvaluationQuestion(name, place.rpartition("/")[2], question, answer)


def question_words(questions: Sequence[EvaluationQuestion]) -> list[Words]:
    """The words of one set's questions, without the instructions that all of them begin or end with."""
    all_words = [split_words(question.text) for question in questions]
    distinct = {words.hashes.tobytes(): words.hashes for words in all_words}.values()
    if len(distinct) < _SET_FOR_INSTRUCTIONS:
        return all_words
    before = _shared(distinct, 1)
    after = _shared([words[before:] for words in distinct], -1)
    return [words.cut(before, len(words.hashes) - after) for words in all_words]


def where_found(words: Words) -> Where:
    """For a question of fewer words than an n-gram.

    Eight words say enough, as do three with three digits in them, if one is a word of four letters. Fewer than three
    words say nothing.
    """
    spans = [words.text[start:stop] for start, stop in zip(words.starts, words.stops, strict=True)]
    digits = sum(character.isdigit() for span in spans for character in span)
    telling = any(len(span) >= _TELLING_LETTERS and span.isalpha() for span in spans)
    if len(spans) < _LEAST_WORDS:
        return Where.NOWHERE
    if telling and (len(spans) >= _LONG_ENOUGH or digits >= _LEAST_DIGITS):
        return Where.ANYWHERE
    return Where.SENTENCE


def stands_alone(words: Words, first: int, last: int) -> bool:
    """Whether words `first` to `last` are between line breaks or ends of sentences; a colon may come before."""
    before = words.text[words.stops[first - 1] : words.starts[first]] if first else "\n"
    after = words.text[words.stops[last] : words.starts[last + 1]] if last + 1 < len(words.starts) else "\n"
    return any(mark in before for mark in "\n.?!:") and any(mark in after for mark in "\n.?!")


def _shared(all_words: Iterable[NDArray[np.uint64]], step: int) -> int:
    """Words that all begin with (step 1) or end with (step -1); at least one word of each is left."""
    turned = [words[::step] for words in all_words]
    most = max(min(map(len, turned)) - 1, 0)
    for count in range(most):
        if any(words[count] != turned[0][count] for words in turned):
            return count
    return most
