"""From a file to a validated recipe, with errors that name file, line, key and the nearest valid name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from prism.errors import RecipeError
from prism.recipe.checks import findings, missing_files
from prism.recipe.compose import Composed, compose
from prism.recipe.fields import fields_at
from prism.recipe.findings import Finding
from prism.recipe.moves import new_key
from prism.recipe.recipe import Recipe
from prism.recipe.versions import ALL_RECIPE_MOVES, RECIPE

_BRANCH = re.compile(r"(literal\[|float$|int$|str$|bool$)")
"""How pydantic names the branches of a union behind the key."""


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
    versioned = {"schema_version": RECIPE.version, **composed.values}
    values = RECIPE.migrate(versioned, composed.place_of(("schema_version",)), RecipeError)
    try:
        result = Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeErrors([_explain(composed, *problem) for problem in _by_key(error)]) from None
    _refuse(composed, findings(result))
    if files:
        _refuse(composed, missing_files(result))
    return result


def _refuse(composed: Composed, found: Iterable[Finding]) -> None:
    errors = [
        RecipeError(
            f"{_without_indices(item.path)}: {item.message}", place=composed.place_of(item.path), remedy=item.remedy
        )
        for item in found
    ]
    if errors:
        raise RecipeErrors(errors)


def _by_key(error: ValidationError) -> Iterator[tuple[tuple[str, ...], Any]]:
    """One problem a key: a key that takes several types is told once, with what each of them wants."""
    found: dict[tuple[str, ...], Any] = {}
    for problem in error.errors():
        path = tuple(str(part) for part in problem["loc"])
        if len(path) > 1 and _BRANCH.match(path[-1]):
            path = path[:-1]
        if path in found:
            found[path]["msg"] += " or " + problem["msg"].removeprefix("Input should be ")
        else:
            found[path] = dict(problem)
    yield from found.items()


def _explain(composed: Composed, path: tuple[str, ...], problem: Any) -> RecipeError:
    key, place = _without_indices(path), composed.place_of(path)
    if problem["type"] == "extra_forbidden":
        known = sorted(fields_at(Recipe, path[:-1]))
        new = ".".join(new_key(path, ALL_RECIPE_MOVES))
        if new != key:
            return RecipeError(f"{key}: it is {new} now", place=place, remedy=f"write {new}")
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
