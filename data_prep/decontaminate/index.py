"""The index of evaluation questions: which runs of words give a question away.

A run is an n-gram of a question (Brown et al. 2020, appendix C, take 13 words), or all words of a shorter one. N-grams
that say little count only as part of a whole question: those that `SHARED` questions of a set or more have
(instructions, turns of phrase), and those that are numbers for the most part (1 2 3 4 ...). Words are those of
`data_prep.words.split`.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.decontaminate.questions import EvaluationQuestion, Where, question_words, where_found
from data_prep.errors import DataError
from data_prep.files import fingerprint, read_json, write_bytes, write_json
from data_prep.words.runs import run_hashes
from data_prep.words.split import WORDS_VERSION

NGRAM = 13
SHARED = 3
_VERSION = 4

ENTRY = np.dtype([("key", "<u8"), ("question", "<u4"), ("offset", "<u4"), ("counts", "?")])
"""A run: its hash, its question and first word there, and whether it gives the question away alone."""


@dataclass(frozen=True)
class IndexedQuestion:
    """A question's name, its number of words and where all of them together count as found."""

    set: str
    id: str
    answer: str | None
    words: int
    where: int


@dataclass(frozen=True)
class QuestionIndex:
    """`words` holds the hashes of all questions' words, one question after the other; `entries` is sorted by key."""

    ngram: int
    questions: tuple[IndexedQuestion, ...]
    words: NDArray[np.uint64]
    entries: NDArray[np.void]

    @classmethod
    def build(cls, questions: Iterable[EvaluationQuestion], ngram: int = NGRAM) -> QuestionIndex:
        """A question that was there before, in this set or another, is left out."""
        indexed: list[IndexedQuestion] = []
        words: list[NDArray[np.uint64]] = []
        entries: list[tuple[int, int, int, bool]] = []
        seen: set[bytes] = set()
        for group in _by_set(questions):
            first = len(indexed)
            for question, trimmed in zip(group, question_words(group), strict=True):
                if (content := trimmed.hashes.tobytes()) in seen:
                    continue
                seen.add(content)
                count = len(trimmed.hashes)
                where = Where.ANYWHERE if count >= ngram else where_found(count, question.text)
                indexed.append(IndexedQuestion(question.set, question.id, question.answer, count, int(where)))
                words.append(trimmed.hashes)
            entries += _entries(words[first:], indexed[first:], first, ngram)
        all_words = np.concatenate(words) if words else np.empty(0, np.uint64)
        return cls(ngram, tuple(indexed), all_words, np.array(sorted(entries), ENTRY))

    @cached_property
    def fingerprint(self) -> str:
        """Of the questions, and of the rules by which they are searched for."""
        rules = [_VERSION, WORDS_VERSION, SHARED, self.ngram]
        words = hashlib.sha256(self.words.astype("<u8").tobytes()).hexdigest()
        return fingerprint([rules, [asdict(question) for question in self.questions], words])

    @property
    def left_out(self) -> tuple[IndexedQuestion, ...]:
        """Questions of too few words to be told from other text."""
        return tuple(question for question in self.questions if question.where == Where.NOWHERE)

    def save(self, folder: Path) -> Path:
        """Writes `<fingerprint>.json` and `.npz`, unless they are there; returns the first."""
        path = folder / f"{self.fingerprint[:16]}.json"
        if not (path.is_file() and path.with_suffix(".npz").is_file()):
            buffer = io.BytesIO()
            np.savez(buffer, allow_pickle=False, words=self.words, entries=self.entries)
            write_bytes(path.with_suffix(".npz"), buffer.getvalue())
            questions = [asdict(question) for question in self.questions]
            left_out = [f"{question.set} {question.id}" for question in self.left_out]
            write_json(
                path,
                {
                    "fingerprint": self.fingerprint,
                    "ngram": self.ngram,
                    "too_short": left_out,
                    "questions": questions,
                },
            )
        return path

    @classmethod
    def load(cls, path: Path) -> QuestionIndex:
        """Reads an index that `save` wrote.

        Raises:
            DataError: it is missing, damaged, or another release's.
        """
        values = read_json(path)
        try:
            with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
                words, entries = arrays["words"], arrays["entries"]
            questions = tuple(IndexedQuestion(**question) for question in values["questions"])
            index = cls(values["ngram"], questions, words, entries)
            whole = entries.dtype == ENTRY and index.fingerprint == values["fingerprint"]
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
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
    all_words: Sequence[NDArray[np.uint64]], questions: Sequence[IndexedQuestion], first: int, ngram: int
) -> Iterator[tuple[int, int, int, bool]]:
    """Entries of one set. A question without an n-gram that counts is found by its first run, if it is there whole."""
    all_keys = [run_hashes(words, ngram).tolist() for words in all_words]
    sharing = Counter(key for keys in all_keys for key in set(keys))
    for number, (words, keys, question) in enumerate(zip(all_words, all_keys, questions, strict=True), start=first):
        if question.where == Where.NOWHERE:
            continue
        if question.words < ngram:
            yield keys[0], number, 0, False
            continue
        numeric = np.convolve(words & np.uint64(1), np.ones(ngram), "valid") > ngram / 2
        counting = [at for at, key in enumerate(keys) if sharing[key] < SHARED and not numeric[at]]
        for at in counting:
            yield keys[at], number, at, True
        if not counting:
            yield keys[0], number, 0, False
