"""What becomes of every key that concerns a training stage, from the settings and the rules themselves."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from prism.nemo.training.known_models import model_settings
from prism.nemo.training.rules import ELSEWHERE, NOT_HONOURED, REFUSED, Rule, Stage, stage_of
from prism.nemo.training.settings import Places, stage_settings
from prism.recipe import Recipe

if TYPE_CHECKING:
    from prism.nemo.training.values import Setting

SECTIONS = ("midtrain", "model", "cluster", "kernels", "run", "data")
"""Sections of the recipe that a training stage reads."""


@dataclass(frozen=True)
class Row:
    """A key, or a section whose keys share a fate.

    fate: mapped, or only allowed at the value it has; refused and not honoured as the stage has them.
    """

    key: str
    fate: Literal["mapped", "allowed", "refused", "not honoured", "elsewhere"]
    what: str


def coverage(recipe: Recipe, name: str) -> list[Row]:
    """Every key, in the schema's order.

    Raises:
        RecipeError: NeMo has no such model.
    """
    stage = stage_of(recipe, name)
    paths = mapped(stage)
    rows = [_row(key, stage, paths) for key in dict.fromkeys(_known_as(key, paths) for key in schema_keys())]
    extra = [key for key in (*REFUSED, *NOT_HONOURED) if key not in {row.key for row in rows}]
    return rows + [_row(key, stage, paths) for key in extra]


def mapped(stage: Stage) -> dict[str, list[str]]:
    """NeMo's paths by our key."""
    places = Places(Path("/"), [(100.0, "/data")], stage.recipe.model.vocab_size or 8)
    found: dict[str, list[str]] = {}
    settings: Sequence[Setting] = [
        *model_settings(stage.recipe.model, places.vocabulary_rows, stage.training.sequence_length),
        *stage_settings(stage, places),
    ]
    for setting in settings:
        for key in setting.keys:
            found.setdefault(key, []).append(setting.path)
    return found


def schema_keys() -> list[str]:
    """Every key of the sections, dotted; a mapping or a list is one key."""
    return [key for name in SECTIONS for key in _leaves(Recipe.model_fields[name].annotation, name)]


def _leaves(annotation: Any, key: str) -> Iterator[str]:
    section = _section(annotation)
    if section is None:
        yield key
        return
    for name, field in section.model_fields.items():
        yield from _leaves(field.annotation, f"{key}.{field.alias or name}")


def _section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        sections = [found for part in typing.get_args(annotation) if (found := _section(part)) is not None]
        return sections[0] if sections else None
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _known_as(key: str, paths: dict[str, list[str]]) -> str:
    """The key, or the section that the rules name in its place."""
    named = {*paths, *REFUSED, *NOT_HONOURED, *ELSEWHERE}
    parts = key.split(".")
    wholes = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return next((whole for whole in wholes if whole in named), key)


def _row(key: str, stage: Stage, paths: dict[str, list[str]]) -> Row:
    refused = _broken(REFUSED.get(key), stage)
    if refused is not None:
        return Row(key, "refused", refused.reason)
    passed = _broken(NOT_HONOURED.get(key), stage)
    if passed is not None:
        return Row(key, "not honoured", passed.reason)
    if key in paths:
        return Row(key, "mapped", ", ".join(dict.fromkeys(paths[key])))
    if key in REFUSED or key in NOT_HONOURED:
        return Row(key, "allowed", "as it is here")
    return Row(key, "elsewhere", ELSEWHERE.get(key, "not of this model"))


def _broken(rule: Rule | None, stage: Stage) -> Rule | None:
    return rule if rule is not None and not rule.fits(stage) else None
