"""Token sequences as text with their boundaries, to see what a model is trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data_prep.dataset import TrainingRow
from data_prep.dataset.shuffle import Permutation
from data_prep.errors import DataError
from data_prep.index import IndexedFile
from data_prep.look.escape import escaped
from data_prep.pack import document_ends
from data_prep.tokenizer import Vocabulary


@dataclass(frozen=True)
class Shown:
    """A stretch of tokens as text.

    kind: "text"; "end", the end token, `times` in a row; "boundary" between two documents or pieces, without text.
    counts: whether the loss counts how well these tokens are predicted. Always True outside of training rows.
    """

    kind: Literal["text", "end", "boundary"]
    text: str = ""
    counts: bool = True
    times: int = 1

    @property
    def printable(self) -> str:
        """The text with control characters escaped; see `escaped`."""
        return escaped(self.text)


BOUNDARY = Shown("boundary")


def show_documents(prefix: Path, vocabulary: Vocabulary, count: int, seed: int) -> Iterator[tuple[int, list[Shown]]]:
    """(number, contents) of `count` documents drawn at random, each once. A pack's pieces have boundaries between them.

    Raises:
        DataError: the files are missing or damaged, or hold a token that the vocabulary doesn't have.
    """
    file = IndexedFile(prefix)
    if not file.documents:
        return
    order = Permutation(file.documents, seed, "inspect")
    for position in range(min(count, file.documents)):
        number = order[position]
        pieces = file.document(number)
        tokens = np.concatenate([*pieces, np.empty(0, file.dtype)])
        boundaries = np.cumsum([len(piece) for piece in pieces[:-1]], dtype=np.int64)
        yield number, _shown(tokens, np.ones(len(tokens), np.bool_), boundaries, vocabulary)


def show_row(row: TrainingRow, vocabulary: Vocabulary) -> list[Shown]:
    """A row of training, with a boundary wherever documents end, whether or not they see each other.

    The first token doesn't count, since nothing predicts it. The label of the last one, which is no input, comes last
    if it counts.
    """
    length = len(row.tokens)
    label_counts = np.ones(length, np.bool_) if row.mask is None else row.mask
    ends = row.ends if row.ends is not None else document_ends(row.tokens, vocabulary.end_of_document_id)
    boundaries = ends[:-1].astype(np.int64)
    tokens, counts = row.tokens, np.append(False, label_counts)
    if label_counts[-1]:
        tokens = np.append(tokens, row.labels[-1])
        if row.tokens[-1] == vocabulary.end_of_document_id:
            boundaries = np.append(boundaries, length)
    return _shown(tokens, counts[: len(tokens)], boundaries, vocabulary)


def _shown(
    tokens: NDArray[Any], counts: NDArray[np.bool_], boundaries: NDArray[np.int64], vocabulary: Vocabulary
) -> list[Shown]:
    wrong = np.flatnonzero((tokens < 0) | (tokens >= vocabulary.vocab_size))
    if len(wrong):
        raise DataError(
            f"token {int(tokens[wrong[0]])}, the vocabulary has {vocabulary.vocab_size:,}",
            place=str(vocabulary.path),
            remedy="look with the tokenizer that the files were made with; `prism data verify` names what changed",
        )
    shown: list[Shown] = []
    for number, (part, part_counts) in enumerate(
        zip(np.split(tokens, boundaries), np.split(counts, boundaries), strict=True)
    ):
        if number:
            shown.append(BOUNDARY)
        is_end = part == vocabulary.end_of_document_id
        for start, stop in _runs(is_end):
            show = _ends if is_end[start] else _text
            shown += show(part[start:stop], part_counts[start:stop], vocabulary)
    return shown


def _ends(tokens: NDArray[Any], counts: NDArray[np.bool_], vocabulary: Vocabulary) -> Iterator[Shown]:
    for start, stop in _runs(counts):
        yield Shown("end", vocabulary.end_of_document, bool(counts[start]), stop - start)


def _text(tokens: NDArray[Any], counts: NDArray[np.bool_], vocabulary: Vocabulary) -> Iterator[Shown]:
    """Decoded as a whole, since tokens alone may lose the space between them. A character of several tokens is shown
    with the last."""
    whole, done = vocabulary.decode(tokens.tolist()), 0
    for start, stop in _runs(counts):
        end = len(whole)
        if stop < len(tokens):
            end = max(done, _common(whole, vocabulary.decode(tokens[:stop].tolist())))
        if end > done:
            yield Shown("text", whole[done:end], bool(counts[start]))
        done = end


def _runs(values: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """(start, stop) of each run of equal values."""
    if not len(values):
        return iter(())
    edges = np.flatnonzero(values[1:] != values[:-1]) + 1
    return pairwise([0, *edges.tolist(), len(values)])


def _common(one: str, other: str) -> int:
    """Characters with which both begin."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
