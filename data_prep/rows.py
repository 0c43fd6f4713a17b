"""Values of a row by path, and the conditions that say which rows are kept."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Sequence
from typing import Any

from data_prep.errors import DataError
from data_prep.schema.source import Rule, Scalar

Row = dict[str, Any]

_ABSENT = object()


def value(row: Row, path: str) -> Any:
    """What stands at a path such as `messages.0.content`.

    A step is a key, or a position in a list (negative ones count from the end). A key that has dots itself is found.
    Text on the way is read as JSON, for columns that hold JSON as text.

    Raises:
        DataError: the row has nothing there.
    """
    found = _find(row, path)
    if found is _ABSENT:
        raise DataError(f"no column {path!r}", remedy=f"correct the source's columns (here: {', '.join(row)})")
    return found


class Keep:
    """The conditions of a source, all of which a row must meet."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._checks = [check for rule in rules for check in _checks(rule)]

    def drop_reason(self, row: Row) -> str | None:
        """The first condition that the row doesn't meet, said the other way round (`edu_int_score < 3`), or None.

        Raises:
            DataError: the row lacks a column, or holds no number where one is compared.
        """
        for reason, columns, holds in self._checks:
            if not holds(_first(row, columns)):
                return reason
        return None


_Check = tuple[str, tuple[str, ...], Callable[[Any], bool]]


def _checks(rule: Rule) -> list[_Check]:
    columns = (rule.column,) if isinstance(rule.column, str) else rule.column
    name = columns[0]
    checks: list[_Check] = []

    def add(reason: str, holds: Callable[[Any], bool]) -> None:
        checks.append((f"{name} {reason}", columns, holds))

    if (wanted := rule.equals) is not None:
        add(f"is not {_shown(wanted)}", lambda found: _equal(found, wanted))
    if (unwanted := rule.not_equals) is not None:
        add(f"is {_shown(unwanted)}", lambda found: not _equal(found, unwanted))
    if (allowed := rule.one_of) is not None:
        add(f"is none of {_list(allowed)}", lambda found: any(_equal(found, one) for one in allowed))
    if (forbidden := rule.none_of) is not None:
        add(f"is one of {_list(forbidden)}", lambda found: not any(_equal(found, one) for one in forbidden))
    if (least := rule.at_least) is not None:
        add(f"< {least:g}", lambda found: _compared(found, name) >= least)
    if (most := rule.at_most) is not None:
        add(f"> {most:g}", lambda found: _compared(found, name) <= most)
    if (part := rule.contains) is not None:
        add(f"doesn't contain {_shown(part)}", lambda found: found is not None and part in str(found))
    if (pattern := rule.matches) is not None:
        add(
            f"doesn't fit {_shown(pattern)}",
            lambda found: found is not None and fnmatch.fnmatchcase(str(found), pattern),
        )
    return checks


def _first(row: Row, columns: tuple[str, ...]) -> Any:
    """The value of the first column that the row has; a null is taken only when no other column is there."""
    null = _ABSENT
    for column in columns:
        found = _find(row, column)
        if found is None:
            null = None
        elif found is not _ABSENT:
            return found
    return value(row, columns[0]) if null is _ABSENT else null


def _find(found: Any, path: str) -> Any:
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except json.JSONDecodeError:
            return _ABSENT
    if isinstance(found, dict):
        if path in found:
            return found[path]
        head, dot, rest = path.partition(".")
        while dot:
            if head in found:
                below = _find(found[head], rest)
                if below is not _ABSENT:
                    return below
            step, dot, rest = rest.partition(".")
            head = f"{head}.{step}"
        return _ABSENT
    if isinstance(found, list):
        step, dot, rest = path.partition(".")
        if not step.removeprefix("-").isdecimal() or not -len(found) <= int(step) < len(found):
            return _ABSENT
        return _find(found[int(step)], rest) if dot else found[int(step)]
    return _ABSENT


def _equal(found: Any, wanted: Scalar) -> bool:
    if isinstance(wanted, bool):
        return found is wanted or str(found).lower() == str(wanted).lower()
    if isinstance(wanted, str):
        return found is not None and str(found) == wanted
    return _number(found) == wanted


def _compared(found: Any, name: str) -> float:
    number = _number(found)
    if number is None:
        raise DataError(
            f"column {name!r} should hold a number, found {found!r:.60}", remedy="correct the rule's column, or the row"
        )
    return number


def _number(found: Any) -> float | None:
    if isinstance(found, bool):
        return None
    if isinstance(found, int | float):
        return found
    try:
        return float(found) if isinstance(found, str) else None
    except ValueError:
        return None


def _shown(wanted: Scalar) -> str:
    return f"{wanted:g}" if isinstance(wanted, float) else (str(wanted) or "empty")


def _list(values: Sequence[Scalar]) -> str:
    return ", ".join(map(_shown, values))
