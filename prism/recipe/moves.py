"""Keys that moved to another section: values, places and references follow them."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prism.errors import RecipeError

KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class Move:
    """`old` and `new` are dotted keys; `*` stands for any one key, the same in both."""

    old: str
    new: str

    def renamed(self, path: Sequence[str]) -> KeyPath | None:
        """Where the old key, or a key below it, is now; None for another key."""
        pattern = self.old.split(".")
        if len(path) < len(pattern) or any(part not in ("*", key) for part, key in zip(pattern, path, strict=False)):
            return None
        star = next((key for part, key in zip(pattern, path, strict=False) if part == "*"), "")
        return (*(star if part == "*" else part for part in self.new.split(".")), *path[len(pattern) :])


def new_key(path: Sequence[str], moves: Sequence[Move]) -> KeyPath:
    """Where `path` is now; itself where it didn't move."""
    found = tuple(path)
    for move in moves:
        found = move.renamed(found) or found
    return found


def moved(values: Mapping[str, Any], moves: Sequence[Move]) -> dict[str, Any]:
    """A copy of `values` with every old key under its new name; sections that it leaves empty go.

    Raises:
        RecipeError: a key is set under both names, with two values.
    """
    result = copy.deepcopy(dict(values))
    for move in moves:
        for old in list(matching(result, move.old.split("."))):
            new = move.renamed(old)
            assert new is not None
            _put(result, old, new, _take(result, old))
    return _with_references(result, moves) if moves else result


def matching(values: Any, pattern: Sequence[str], above: KeyPath = ()) -> Iterator[KeyPath]:
    """The keys of nested mappings that fit `pattern`."""
    if not pattern:
        yield above
    elif isinstance(values, Mapping):
        for key in list(values) if pattern[0] == "*" else [pattern[0]]:
            if key in values:
                yield from matching(values[key], pattern[1:], (*above, key))


def renamed_references(text: str, moves: Sequence[Move]) -> str:
    """`text` with every `${old.key}` as `${new.key}`."""

    def rename(found: re.Match[str]) -> str:
        return "${" + ".".join(new_key(found[1].split("."), moves)) + "}"

    return re.sub(r"\$\{([A-Za-z0-9_.]+)\}", rename, text)


def is_unset(value: Any) -> bool:
    """Whether a value says no more than a missing key."""
    return value is None or value == []


def _take(values: dict[str, Any], path: KeyPath) -> Any:
    above: list[dict[str, Any]] = [values]
    for key in path[:-1]:
        above.append(above[-1][key])
    value = above[-1].pop(path[-1])
    for section, key in zip(reversed(above[:-1]), reversed(path[:-1]), strict=True):
        if section[key]:
            break
        del section[key]
    return value


def _put(values: dict[str, Any], old: KeyPath, new: KeyPath, value: Any) -> None:
    section = values
    for key in new[:-1]:
        if not isinstance(section.get(key), dict):
            section[key] = {}
        section = section[key]
    there = section.get(new[-1])
    if is_unset(there) or there == value:
        section[new[-1]] = value
    elif not is_unset(value):
        raise RecipeError(
            f"{_dotted(old)} and {_dotted(new)} are one key, and say {value} and {there}",
            place=_dotted(old),
            remedy=f"keep {_dotted(new)}",
        )


def _with_references(value: Any, moves: Sequence[Move]) -> Any:
    if isinstance(value, dict):
        return {key: _with_references(entry, moves) for key, entry in value.items()}
    if isinstance(value, list):
        return [_with_references(entry, moves) for entry in value]
    return renamed_references(value, moves) if isinstance(value, str) else value


def _dotted(path: KeyPath) -> str:
    return ".".join(str(key) for key in path)
