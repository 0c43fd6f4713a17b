"""From a file to a validated recipe, with errors that name file, line, key and the nearest valid name."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from prism.errors import RecipeError
from prism.recipe.checks import Finding, findings, missing_files
from prism.recipe.compose import Composed, compose
from prism.recipe.recipe import SCHEMA_VERSION, Recipe


class RecipeErrors(RecipeError):
    """Several errors of one recipe, one line each."""

    def __init__(self, errors: Sequence[RecipeError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in errors))


def load_recipe(recipe: str | Path, overrides: Sequence[str] = (), *, files: bool = False) -> Recipe:
    """Composes and validates a recipe.

    Args:
        recipe: a path, or the name of a packaged recipe.
        overrides: `section.key=value`, applied last.
        files: also check that the files it names exist.

    Raises:
        RecipeErrors: one line for every error, with file, line, key and remedy.
    """
    composed = compose(recipe, overrides)
    _check_version(composed)
    try:
        result = Recipe.model_validate(composed.values)
    except ValidationError as error:
        raise RecipeErrors([_explain(composed, problem) for problem in error.errors()]) from None
    _refuse(composed, findings(result))
    if files:
        _refuse(composed, missing_files(result))
    return result


def _check_version(composed: Composed) -> None:
    version = composed.values.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise RecipeError(
            f"schema_version {version}, this release reads {SCHEMA_VERSION}",
            place=composed.place_of(("schema_version",)),
            remedy="use the release of prism-megatron that the recipe was written for",
        )


def _refuse(composed: Composed, found: Iterable[Finding]) -> None:
    errors = [
        RecipeError(
            f"{_without_indices(item.path)}: {item.message}", place=composed.place_of(item.path), remedy=item.remedy
        )
        for item in found
    ]
    if errors:
        raise RecipeErrors(errors)


def _explain(composed: Composed, problem: Any) -> RecipeError:
    path = tuple(str(part) for part in problem["loc"])
    key, place = _without_indices(path), composed.place_of(path)
    if problem["type"] == "extra_forbidden":
        known = sorted(_fields_at(Recipe, path[:-1]))
        near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.5)
        remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        return RecipeError(f"{key}: unknown key", place=place, remedy=remedy)
    if problem["type"] == "missing":
        return RecipeError(f"{key}: required and not set", place=place, remedy=f"add {path[-1]}")
    given = problem.get("input")
    message = problem["msg"].removeprefix("Input should be ")
    return RecipeError(f"{key}: {given!r} isn't {message}", place=place, remedy=f"give {message}")


def _without_indices(path: Sequence[str]) -> str:
    return ".".join(path)


def _fields_at(model: type[BaseModel], path: Sequence[str]) -> set[str]:
    """Names of the keys that the section at `path` knows."""
    annotation: Any = model
    for key in path:
        section = _section(annotation)
        if section is not None:
            by_name = {field.alias or name: field for name, field in section.model_fields.items()}
            annotation = by_name[key].annotation if key in by_name else None
        else:
            annotation = next(iter(typing.get_args(_bare(annotation))[1:]), None)
    section = _section(annotation)
    return {field.alias or name for name, field in section.model_fields.items()} if section else set()


def _bare(annotation: Any) -> Any:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return next(part for part in typing.get_args(annotation) if part is not type(None))
    return annotation


def _section(annotation: Any) -> type[BaseModel] | None:
    bare = _bare(annotation)
    return bare if isinstance(bare, type) and issubclass(bare, BaseModel) else None
