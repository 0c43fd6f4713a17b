"""The index of evaluation questions, and the search of a document for one of them.

A document holds a question when all the question's words stand in it in a row (`exact`), or `ngram` words in a row of
it (Brown et al. 2020, appendix C, take 13). Words are those of `data_prep.dedup.words`, so it makes no difference how
question or document write them. A question of fewer words must be there whole; see `questions.where_found`.

Runs that say little don't count as n-grams, only as parts of a whole question: those that more than
`MOST_SHARING` questions of a set have (instructions, turns of phrase), and those that are numbers for the most part.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data_prep.decontaminate.kernel import find_runs, make_filter
from data_prep.decontaminate.questions import EvaluationQuestion, Where, question_words, stands_alone, where_found
from data_prep.dedup.runs import hash_between, power, prefixes, run_hashes
from data_prep.dedup.words import WORDS_VERSION, Words, split_words
from data_prep.errors import DataError
from data_prep.files import fingerprint, read_json, write_bytes, write_json

MOST_SHARING = 1
NGRAM = 13
_VERSION = 1
_HITS_AT_ONCE = 1_024
_BITS_PER_KEY = 32
_ENTRY = np.dtype([("key", "<u8"), ("question", "<u4"), ("offset", "<u4"), ("counts", "?")])


@dataclass(frozen=True)
class Match:
    """What was found in a document: `words` as it writes them, in lower case."""

    set: str
    question: str
    kind: Literal["exact", "ngram"]
    words: str
    answer: str | None


@dataclass(frozen=True)
class IndexedQuestion:
    """A question's name, number of words, the hash of all of them (hex), and where it counts as found."""

    set: str
    id: str
    answer: str | None
    words: int
    hash: str
    where: int


class DecontaminationIndex:
    """Questions to keep out of training data. Made by `build`, kept by `save`, read by `load`."""

    def __init__(self, ngram: int, questions: tuple[IndexedQuestion, ...], entries: NDArray[np.void]) -> None:
        self.ngram = ngram
        self.questions = questions
        self._entries = entries
        self._hashes = [int(question.hash, 16) for question in questions]
        self._keys = np.ascontiguousarray(entries["key"])
        lengths = {min(question.words, ngram) for question in questions if question.where != Where.NOWHERE}
        self._lengths = np.array(sorted(lengths), np.int64)
        self._powers = np.array([power(length) for length in self._lengths], np.uint64)
        self._bits = min(max((len(self._keys) * _BITS_PER_KEY).bit_length(), 6), 27)
        self._filter = make_filter(self._keys, self._bits)

    @classmethod
    def build(cls, questions: Iterable[EvaluationQuestion], ngram: int = NGRAM) -> DecontaminationIndex:
        """A question that was there before, in this set or another, is left out."""
        indexed: list[IndexedQuestion] = []
        entries: list[tuple[int, int, int, bool]] = []
        seen: set[int] = set()
        for group in _by_set(questions):
            kept: list[NDArray[np.uint64]] = []
            for question, trimmed in zip(group, question_words(group), strict=True):
                words = trimmed.hashes
                whole = int(run_hashes(words, len(words))[0]) if len(words) else 0
                if whole in seen:
                    continue
                seen.add(whole)
                where = Where.ANYWHERE if len(words) >= ngram else where_found(trimmed)
                name = (question.set, question.id, question.answer)
                indexed.append(IndexedQuestion(*name, len(words), f"{whole:016x}", int(where)))
                kept.append(words)
            entries += _entries(kept, indexed[len(indexed) - len(kept) :], len(indexed) - len(kept), ngram)
        return cls(ngram, tuple(indexed), np.array(sorted(entries), _ENTRY))

    @cached_property
    def fingerprint(self) -> str:
        """Of the questions and of how they are searched for."""
        rules = [_VERSION, WORDS_VERSION, MOST_SHARING, self.ngram]
        return fingerprint([rules, [asdict(question) for question in self.questions]])

    @property
    def left_out(self) -> int:
        """Questions of too few words to be told from other text."""
        return sum(question.where == Where.NOWHERE for question in self.questions)

    def match(self, text: str) -> Match | None:
        """The first whole question in a document; if there is none, the first n-gram of one; or None."""
        words = split_words(text)
        begins = prefixes(words.hashes)
        ngram: Match | None = None
        for place, entry in self._hits(begins):
            number, offset = int(self._entries["question"][entry]), int(self._entries["offset"][entry])
            question = self.questions[number]
            if self._is_whole(words, begins, place - offset, number):
                first = place - offset
                return _match(question, "exact", words.between(first, first + question.words - 1))
            if ngram is None and self._entries["counts"][entry]:
                ngram = _match(question, "ngram", words.between(place, place + self.ngram - 1))
        return ngram

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

    def _is_whole(self, words: Words, begins: NDArray[np.uint64], first: int, number: int) -> bool:
        question = self.questions[number]
        if first < 0 or first + question.words > len(words.hashes):
            return False
        if int(hash_between(begins, first, question.words)) != self._hashes[number]:
            return False
        return question.where == Where.ANYWHERE or stands_alone(words, first, first + question.words - 1)

    def save(self, folder: Path) -> Path:
        """Writes `<fingerprint>.json` and `.npy`, unless they are there; returns the first."""
        path = folder / f"{self.fingerprint[:16]}.json"
        if not (path.is_file() and path.with_suffix(".npy").is_file()):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, self._entries, allow_pickle=False)
            write_bytes(path.with_suffix(".npy"), buffer.getvalue())
            questions = [asdict(question) for question in self.questions]
            write_json(path, {"ngram": self.ngram, "fingerprint": self.fingerprint, "questions": questions})
        return path

    @classmethod
    def load(cls, path: Path) -> DecontaminationIndex:
        """Maps an index that `save` wrote.

        Raises:
            DataError: it is missing, damaged, or another release's.
        """
        values: dict[str, Any] = read_json(path)
        try:
            entries = np.load(path.with_suffix(".npy"), mmap_mode="r", allow_pickle=False)
            questions = tuple(IndexedQuestion(**question) for question in values["questions"])
            index = cls(values["ngram"], questions, entries)
            whole = entries.dtype == _ENTRY and index.fingerprint == values["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"not an index ({error})", place=str(path), remedy="delete it and run again") from None
        if not whole:
            raise DataError("not an index of this release", place=str(path), remedy="delete it and run again")
        return index


def _by_set(questions: Iterable[EvaluationQuestion]) -> list[list[EvaluationQuestion]]:
    groups: dict[str, list[EvaluationQuestion]] = {}
    for question in questions:
        groups.setdefault(question.set, []).append(question)
    return list(groups.values())


def _entries(
    all_words: list[NDArray[np.uint64]], questions: list[IndexedQuestion], first: int, ngram: int
) -> Iterator[tuple[int, int, int, bool]]:
    """Entries of one set. A question without a run that counts is found by its first run, if it is there whole."""
    all_keys = [run_hashes(words, ngram).tolist() for words in all_words]
    sharing = Counter(key for keys in all_keys for key in set(keys))
    for number, (words, keys, question) in enumerate(zip(all_words, all_keys, questions, strict=True), start=first):
        if question.where == Where.NOWHERE:
            continue
        if question.words < ngram:
            yield keys[0], number, 0, False
            continue
        numeric = np.convolve(words & np.uint64(1), np.ones(ngram), "valid") > ngram / 2
        counting = [at for at, key in enumerate(keys) if sharing[key] <= MOST_SHARING and not numeric[at]]
        for at in counting:
            yield keys[at], number, at, True
        if not counting:
            yield keys[0], number, 0, False


def _match(question: IndexedQuestion, kind: Literal["exact", "ngram"], words: str) -> Match:
    return Match(question.set, question.id, kind, words, question.answer)
