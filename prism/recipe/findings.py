"""Something wrong in a composed recipe, and how it is put to the user."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from prism.recipe.fields import fields_at
from prism.recipe.schema.base import Section


@dataclass(frozen=True)
class Finding:
    """Something wrong in a composed recipe. `path` is the key, as a tuple of names."""

    path: tuple[str, ...]
    message: str
    remedy: str


def nearest(name: str, names: Iterable[str]) -> str:
    """The remedy for an unknown name."""
    known = list(names)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known) or 'none'}"


def invalid(error: ValidationError, section: type[Section], path: tuple[str, ...]) -> Iterator[Finding]:
    """What pydantic says of keys that a stage lays over a section."""
    for problem in error.errors():
        keys = tuple(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            known = fields_at(section, keys[:-1])
            yield Finding((*path, *keys), f"{'.'.join(keys)}: unknown key", nearest(keys[-1], sorted(known)))
        else:
            yield Finding((*path, *keys), f"{'.'.join(keys)}: {problem['msg'].lower()}", "see `prism recipes schema`")
