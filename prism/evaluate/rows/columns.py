"""Columns of a published row. Errors name columns and never show what stands in them: some sets are gated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prism.errors import BadInput

Record = Mapping[str, Any]


def text_of(record: Record, *names: str) -> str:
    """The first of the columns that is there and holds something, without blanks around.

    Raises:
        BadInput: none of them does.
    """
    found = optional_text(record, *names)
    if not found:
        raise BadInput(
            f"no column {' or '.join(names)} that holds something (here: {', '.join(map(str, record))})",
            remedy="see that the file is of the set that the task names",
        )
    return found


def optional_text(record: Record, *names: str) -> str:
    """As `text_of`; empty where none of the columns holds something."""
    for name in names:
        value = record.get(name)
        if value is not None and str(value).strip():
            return str(value).strip()
    return ""


def groups(**found: Any) -> dict[str, str]:
    """The groups that a row belongs to, by what they group: those that say something."""
    return {name: str(value) for name, value in found.items() if value not in (None, "")}
