"""A check's result."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from prism.errors import UsageError


class Verdict(Enum):
    """`UNNEEDED`: it isn't usable here, which is a fault only where it is needed (`held_to`)."""

    OK = "ok"
    SLOW = "slow"
    UNNEEDED = "not needed"
    FAILS = "fails"


@dataclass(frozen=True)
class Row:
    """`name` is what `--require` takes; `remedy` is what to do unless the verdict is ok."""

    group: str
    name: str
    found: str
    verdict: Verdict
    remedy: str = ""


def held_to(rows: Sequence[Row], needed: Collection[str]) -> list[Row]:
    """The rows, those of what is needed and isn't usable here failing.

    Raises:
        UsageError: something is needed that no row is about.
    """
    known = [row.name for row in rows]
    for name in needed:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise UsageError(
                f"no check is named {name!r}",
                place="--require",
                remedy=f"use {near[0]}" if near else f"use one of {', '.join(known)}",
            )
    return [
        replace(row, verdict=Verdict.FAILS) if row.verdict is Verdict.UNNEEDED and row.name in needed else row
        for row in rows
    ]
