"""Token sequences as text with their boundaries, to see what a model is trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep.dataset import TrainingRow
from data_prep.dataset.shuffle import Permutation
from data_prep.index import IndexedFile
from data_prep.pack import document_ends
from data_prep.tokenizer import Vocabulary


@dataclass(frozen=True)
class Shown:
    """A stretch of tokens as text. `kind` says what is special about it: "text", "end" (the end token), or
    "boundary" (between two documents or pieces; `text` is empty)."""

    kind: str
    text: str


def show_documents(prefix: Path, vocabulary: Vocabulary, count: int, seed: int) -> Iterator[tuple[int, list[Shown]]]:
    """(number, contents) of `count` documents drawn at random, each once."""
    file = IndexedFile(prefix)
    if not file.documents:
        return
    order = Permutation(file.documents, seed, "inspect")
    for position in range(min(count, file.documents)):
        number = order[position]
        shown: list[Shown] = []
        for piece in file.document(number):
            if shown:
                shown.append(Shown("boundary", ""))
            shown += _stretches(piece, vocabulary, np.empty(0, np.int32))
        yield number, shown


def show_row(row: TrainingRow, vocabulary: Vocabulary) -> list[Shown]:
    """A row of training: a boundary wherever documents end, whether or not they see each other."""
    ends = row.ends if row.ends is not None else document_ends(row.tokens, vocabulary.end_of_document_id)
    return _stretches(row.tokens, vocabulary, ends[:-1])


def _stretches(tokens: NDArray[Any], vocabulary: Vocabulary, boundaries: NDArray[np.int32]) -> list[Shown]:
    shown: list[Shown] = []
    for number, part in enumerate(np.split(tokens, boundaries)):
        if number:
            shown.append(Shown("boundary", ""))
        places = np.flatnonzero(part == vocabulary.end_of_document_id)
        start = 0
        for place in [*places.tolist(), len(part)]:
            if place > start:
                shown.append(Shown("text", vocabulary.decode(part[start:place].tolist())))
            if place < len(part):
                shown.append(Shown("end", vocabulary.end_of_document))
            start = place + 1
    return shown
