"""Sweep files: where they are, what they say, and errors that name file, line, key and remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from prism.errors import RecipeError
from prism.recipe.compose import RECIPES, SWEEPS, Composed, read_yaml
from prism.recipe.fields import fields_at
from prism.recipe.load import RecipeErrors
from prism.recipe.schema.sweep import Overrides, SweepConfig
from prism.recipe.versions import SWEEP


@dataclass(frozen=True)
class SweepFile:
    """A sweep as it was read. `place_of` says where a key stands (`file:line`)."""

    path: Path
    config: SweepConfig
    _composed: Composed

    @property
    def name(self) -> str:
        """Name of the sweep and of its folder."""
        return self.config.name or self.path.stem

    def place_of(self, *key: str) -> str:
        return self._composed.place_of(key)


def load_sweep(sweep: str | Path) -> SweepFile:
    """Reads a sweep file, given by path or by the name of a packaged one. The recipe isn't looked at yet.

    Raises:
        RecipeError: no such file, not YAML, or another release's.
        RecipeErrors: a line for every key that is unknown, missing or of another type.
    """
    path = find_sweep(sweep)
    values, places = read_yaml(path)
    composed = Composed(values, places)
    values = SWEEP.migrate(
        {"schema_version": SWEEP.version, **values}, composed.place_of(("schema_version",)), RecipeError
    )
    try:
        config = SweepConfig.model_validate(values)
    except ValidationError as error:
        raise RecipeErrors(list(_explain(error, composed))) from None
    file = SweepFile(path, config, composed)
    _check(file)
    return file


def packaged_sweeps() -> list[str]:
    """Names of the sweeps that come with the package."""
    return sorted(path.stem for path in (RECIPES / SWEEPS).glob("*.yaml"))


def find_sweep(sweep: str | Path) -> Path:
    """The file of a sweep. Raises RecipeError with the nearest name."""
    for candidate in (Path(sweep), RECIPES / SWEEPS / f"{sweep}.yaml", RECIPES / f"{sweep}.yaml"):
        if candidate.is_file():
            return candidate
    near = difflib.get_close_matches(str(sweep).removesuffix(".yaml"), packaged_sweeps(), n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"packaged: {', '.join(packaged_sweeps())}"
    raise RecipeError("no such sweep, neither a file nor a packaged one", place=str(sweep), remedy=hint)


def keys_of(overrides: Overrides) -> list[str]:
    """The dotted keys that overrides set, in their order."""
    return [entry.partition("=")[0].strip() for entry in overrides] if isinstance(overrides, list) else list(overrides)


def _check(file: SweepFile) -> None:
    config = file.config
    if bool(config.members) == bool(config.grid):
        both = "both members and grid" if config.members else "neither members nor grid"
        raise RecipeError(
            f"the sweep has {both}", place=file.place_of("members"), remedy="name the members, or give a grid of keys"
        )
    if not config.figures:
        raise RecipeError(
            "no figures, so there is no table", place=file.place_of("figures"), remedy="add pass_rate: pass_rate('mid')"
        )
    for key, values in config.grid.items():
        if not values:
            raise RecipeError(f"grid.{key} has no values", place=file.place_of("grid", key), remedy="list some")
    for seed in config.seeds:
        if config.seeds.count(seed) > 1:
            raise RecipeError(f"seed {seed} stands twice", place=file.place_of("seeds"), remedy="name it once")


def _explain(error: ValidationError, composed: Composed) -> Iterator[RecipeError]:
    told: set[str] = set()
    for problem in error.errors():
        path = [str(part) for part in problem["loc"]]
        key = ".".join(_without_branches(path))
        if key in told:
            continue
        told.add(key)
        yield _line(key, path, problem, composed.place_of(path))


def _line(key: str, path: list[str], problem: Mapping[str, Any], place: str) -> RecipeError:
    if problem["type"] == "extra_forbidden":
        known = sorted(fields_at(SweepConfig, path[:-1]))
        near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.5)
        remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        return RecipeError(f"{key}: unknown key", place=place, remedy=remedy)
    if problem["type"] == "missing":
        return RecipeError(f"{key}: required and not set", place=place, remedy=f"add {path[-1]}")
    if path[-1] == "name":
        return RecipeError(
            f"{key}: {problem['input']!r} can't be a folder", place=place, remedy="use letters, digits, . _ -"
        )
    message = problem["msg"].removeprefix("Input should be ")
    return RecipeError(f"{key}: {problem.get('input')!r} isn't {message}", place=place, remedy=f"give {message}")


def _without_branches(path: list[str]) -> list[str]:
    """The key without pydantic's names for the branches of a union, such as dict[str,any]."""
    return [part for part in path if "[" not in part]
