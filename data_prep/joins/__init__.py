"""Text that a set itself doesn't publish, looked up in other data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from data_prep.joins.contents import ContentJoin
from data_prep.joins.questions import QuestionJoin
from data_prep.rows import Row
from data_prep.schema.source import JoinConfig

LOOKUP = "lookup"
"""Folder below a source's, where what is looked up lies unless the join has a path."""


class Join(Protocol):
    """Rows with text from a row without: none when the text isn't found, several when the row holds several texts."""

    missing: Counter[str]
    """Texts that weren't found so far, by reason."""

    def __call__(self, row: Row) -> Iterator[Row]:
        """Raises DataError when the row isn't what the join takes, or what is looked up is damaged."""
        ...


def open_join(config: JoinConfig, source_path: str | Path) -> Join:
    """The join of a source. Nothing is read before the first row.

    The lookup folder is `config.path`, or `lookup` below the source's folder.
    """
    folder = Path(config.path) if config.path else Path(source_path) / LOOKUP
    if config.kind == "question_lookup":
        return QuestionJoin(folder)
    return ContentJoin(folder, resolved=config.kind == "refine_code")
