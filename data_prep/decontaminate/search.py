"""The search of a document for a question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_prep.decontaminate.index import IndexedQuestion, QuestionIndex
from data_prep.decontaminate.kernel import find_runs, make_filter
from data_prep.decontaminate.questions import Where, stands_alone
from data_prep.words.runs import power, prefixes
from data_prep.words.split import Words, split_words

_HITS_AT_ONCE = 1_024
_BITS_PER_KEY = 32
_LEAST_BITS, _MOST_BITS = 6, 27


@dataclass(frozen=True)
class Match:
    """What was found in a document: `words` as it writes them, in lower case."""

    set: str
    question: str
    kind: Literal["exact", "ngram"]
    words: str
    answer: str | None


class Search:
    """Looks for the questions of an index."""

    def __init__(self, index: QuestionIndex) -> None:
        self._index = index
        self._ends = np.cumsum([question.words for question in index.questions], dtype=np.int64)
        self._keys = np.ascontiguousarray(index.entries["key"])
        lengths = {min(question.words, index.ngram) for question in index.questions if question.where != Where.NOWHERE}
        self._lengths = np.array(sorted(lengths), np.int64)
        self._powers = np.array([power(length) for length in self._lengths], np.uint64)
        self._bits = min(max((len(self._keys) * _BITS_PER_KEY).bit_length(), _LEAST_BITS), _MOST_BITS)
        self._filter = make_filter(self._keys, self._bits)

    def match(self, text: str) -> Match | None:
        """The first whole question in a document; if there is none, the first n-gram of one; or None."""
        words = split_words(text)
        ngram: Match | None = None
        for place, entry in self._hits(prefixes(words.hashes)):
            row = self._index.entries[entry]
            number, offset = int(row["question"]), int(row["offset"])
            question, content = self._index.questions[number], self._content(number)
            first, after = place - offset, place - offset + question.words
            if (
                first >= 0
                and np.array_equal(words.hashes[first:after], content)
                and _counts_here(question, words, first)
            ):
                return _match(question, "exact", words.between(first, after - 1))
            if ngram is None and row["counts"]:
                length = self._index.ngram
                # the words themselves are compared: two runs may share a hash
                if np.array_equal(words.hashes[place : place + length], content[offset : offset + length]):
                    ngram = _match(question, "ngram", words.between(place, place + length - 1))
        return ngram

    def _content(self, number: int) -> NDArray[np.uint64]:
        end = int(self._ends[number])
        return self._index.words[end - self._index.questions[number].words : end]

    def _hits(self, begins: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
        """(word, entry) of every run that is in the index."""
        if not len(self._keys):
            return
        places, entries = np.empty((2, max(_HITS_AT_ONCE, len(self._lengths))), np.int64)
        first = 0
        while first < len(begins) - 1:
            count, first = find_runs(
                begins, self._lengths, self._powers, self._keys, self._filter, self._bits, first, places, entries
            )
            for place, entry in zip(places[:count].tolist(), entries[:count].tolist(), strict=True):
                key = self._keys[entry]
                while entry < len(self._keys) and self._keys[entry] == key:
                    yield place, entry
                    entry += 1


def _counts_here(question: IndexedQuestion, words: Words, first: int) -> bool:
    return question.where == Where.ANYWHERE or stands_alone(words, first, first + question.words - 1)


def _match(question: IndexedQuestion, kind: Literal["exact", "ngram"], words: str) -> Match:
    return Match(question.set, question.id, kind, words, question.answer)
