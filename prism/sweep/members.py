"""From a sweep file to its runs: every member with every seed, each a validated recipe."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from prism.errors import RecipeError, UsageError
from prism.recipe import Recipe, RecipeErrors, load_recipe
from prism.recipe.fields import fields_at
from prism.recipe.findings import nearest
from prism.recipe.schema.sweep import MemberConfig, Overrides
from prism.recipe.sweeps import SweepFile, keys_of

MOST_RUNS = 24
"""More than these are only run when asked for twice."""

_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep. `overrides` with the sweep's recipe give `recipe`; `seed` is None for the recipe's own."""

    member: str
    seed: int | None
    overrides: tuple[str, ...]
    recipe: Recipe

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        return self.recipe.run.name

    @property
    def directory(self) -> Path:
        return self.recipe.run_directory


@dataclass(frozen=True)
class Sweep:
    """A sweep file with its runs. `recipe` is what `overrides` are applied to; `directory` holds the runs."""

    file: SweepFile
    recipe: str
    directory: Path
    runs: tuple[SweepRun, ...]

    @property
    def name(self) -> str:
        return self.file.name

    def members(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(run.member for run in self.runs))

    def of(self, member: str) -> tuple[SweepRun, ...]:
        """The runs of a member, one a seed."""
        return tuple(run for run in self.runs if run.member == member)


def expand(file: SweepFile, overrides: Sequence[str] = (), *, recipe: str | None = None, many: bool = False) -> Sweep:
    """Composes and validates the recipe of every run; whether the files that it names exist isn't asked.

    Args:
        overrides: `key=value` for every member, below the members' own keys.
        recipe: in place of the sweep's own.
        many: more than MOST_RUNS runs are meant.

    Raises:
        RecipeErrors: a line for every error of every member, with the line of the sweep file.
        RecipeError: two members have one name.
        UsageError: an override sets what the members differ in, or the runs are many and `many` isn't set.
    """
    config = file.config
    name = recipe or _recipe_of(file)
    members = config.members or _grid(file)
    _check_overrides(overrides, members, bool(config.seeds))
    if (count := len(members) * max(1, len(config.seeds))) > MOST_RUNS and not many:
        raise UsageError(
            f"{count} runs, more than {MOST_RUNS}",
            place=str(file.path),
            remedy="take values or seeds out, or say --yes if so many are meant",
        )
    common = (*_as_set(config.overrides), *overrides)
    directory = _directory(file, name, common)
    runs: list[SweepRun] = []
    errors: list[RecipeError] = []
    seeds: list[int | None] = [*config.seeds] or [None]
    for (member, entry), seed in itertools.product(members.items(), seeds):
        folder = member if seed is None else f"{member}-seed{seed}"
        own = (*_as_set(entry.overrides), f"run.directory={_text(str(directory))}", f"run.name={_text(folder)}")
        sets = (*common, *own, *(() if seed is None else (f"run.seed={seed}",)))
        _check_folder(file, folder, member, [run.name for run in runs])
        try:
            runs.append(SweepRun(member, seed, sets, load_recipe(name, sets)))
        except RecipeError as error:
            errors += _placed(error, file, member)
    if errors:
        raise RecipeErrors(list({str(error): error for error in errors}.values()))
    return Sweep(file, name, directory, tuple(runs))


def at_key(recipe: Recipe, key: str, place: str) -> Any:
    """The value of a recipe key, or of a stage's key with the stage's `with` applied.

    Properties count as keys: mid.tokens is the number of tokens that stage mid sees.

    Raises:
        RecipeError: there is no such key.
    """
    parts = key.split(".")
    value: Any = recipe
    if parts[0] in recipe.pipeline and parts[0] not in fields_at(Recipe, ()):
        value, parts = recipe.stage_config(parts[0]), parts[1:]
    for part in parts:
        found = _entries(value)
        if part not in found:
            raise RecipeError(
                f"{key}: no such key {part}", place=place, remedy=nearest(part, sorted([*found, *recipe.pipeline]))
            )
        value = found[part]
    return value


def _entries(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, BaseModel):
        return {}
    kind = type(value)
    fields = {field.alias or name: getattr(value, name) for name, field in kind.model_fields.items()}
    names = (name for base in kind.__mro__ for name, entry in vars(base).items() if isinstance(entry, property))
    return {**{name: getattr(value, name) for name in names if not name.startswith(("_", "model_"))}, **fields}


def _recipe_of(file: SweepFile) -> str:
    """A path is looked for beside the sweep file first."""
    beside = file.path.parent / file.config.recipe
    return str(beside) if beside.is_file() else file.config.recipe


def _directory(file: SweepFile, recipe: str, common: Sequence[str]) -> Path:
    try:
        return Path(load_recipe(recipe, common).run.directory) / file.name
    except RecipeError as error:
        raise RecipeErrors(list(_placed(error, file, None))) from None


def _grid(file: SweepFile) -> dict[str, MemberConfig]:
    """Every combination, named by the last parts of the keys: steps-100_learning_rate-0.002."""
    grid = file.config.grid
    short = {key: key.rpartition(".")[2] for key in grid}
    if len(set(short.values())) < len(short):
        short = {key: key for key in grid}
    members: dict[str, MemberConfig] = {}
    for values in itertools.product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        name = "_".join(f"{short[key]}-{_NOT_IN_A_NAME.sub('-', str(value))}" for key, value in chosen.items())
        if name in members:
            raise RecipeError(
                f"two members are called {name}",
                place=file.place_of("grid"),
                remedy="take out the value that stands twice, or name the members under members:",
            )
        members[name] = MemberConfig(overrides=chosen)
    return members


def _check_folder(file: SweepFile, folder: str, member: str, taken: Sequence[str]) -> None:
    place = file.place_of("members", member)
    if folder in taken:
        raise RecipeError(f"two runs would be called {folder}", place=place, remedy=f"rename member {member}")
    if not _FOLDER.fullmatch(folder):
        raise RecipeError(f"a member can't be called {member!r}", place=place, remedy="use letters, digits, . _ -")


def _check_overrides(overrides: Sequence[str], members: Mapping[str, MemberConfig], seeds: bool) -> None:
    """Keys that differ between members, and those that the sweep gives, aren't for --set."""
    varied = {key: "the members differ in it" for entry in members.values() for key in keys_of(entry.overrides)}
    varied["run.name"] = "every member has its own"
    if seeds:
        varied["run.seed"] = "the sweep has seeds"
    for key in keys_of(list(overrides)):
        for other, reason in varied.items():
            if f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}."):
                raise UsageError(f"{key} can't be set for all: {reason}", place="--set", remedy="edit the sweep file")


def _as_set(overrides: Overrides) -> tuple[str, ...]:
    if isinstance(overrides, list):
        return tuple(overrides)
    return tuple(f"{key}={_text(value)}" for key, value in overrides.items())


def _text(value: Any) -> str:
    """A value as one line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _placed(error: RecipeError, file: SweepFile, member: str | None) -> Iterator[RecipeError]:
    """The error's lines with the sweep file's line in place of `--set key`."""
    for one in error.errors if isinstance(error, RecipeErrors) else (error,):
        key = (one.place or "").removeprefix("--set ")
        place = one.place
        if key != one.place:
            place = _place_of_key(file, member, key) or place
        message = one.message if member is None else f"member {member}: {one.message}"
        yield RecipeError(message, place=place, remedy=one.remedy)


def _place_of_key(file: SweepFile, member: str | None, key: str) -> str | None:
    config = file.config
    if member in config.members and key in (keys := keys_of(config.members[str(member)].overrides)):
        listed = isinstance(config.members[str(member)].overrides, list)
        return file.place_of("members", str(member), "overrides", str(keys.index(key)) if listed else key)
    if key in config.grid:
        return file.place_of("grid", key)
    if key in (keys := keys_of(config.overrides)):
        return file.place_of("overrides", str(keys.index(key)) if isinstance(config.overrides, list) else key)
    return None
