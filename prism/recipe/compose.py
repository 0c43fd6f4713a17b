"""Composition: a recipe file, the fragments it extends, and overrides, with the place of every key."""

from __future__ import annotations

import difflib
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf, __version__
from omegaconf.errors import OmegaConfBaseException

from prism.errors import RecipeError
from prism.recipe.moves import new_key
from prism.recipe.recipe import merged
from prism.recipe.versions import ALL_RECIPE_MOVES, current_recipe

KeyPath = tuple[str, ...]

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
"""The recipes that come with the package."""


class _Loader(yaml.SafeLoader):
    """Plain YAML, except that what looks like a date stays text."""


_Loader.yaml_implicit_resolvers = {
    sign: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for sign, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

_NAMED = (("claims",), ("pipeline",), ("data", "sources"), ("data", "blends"), ("rl", "prompts"))
"""Mappings from names to entries: an entry that is set to null is taken out."""

# NeMo's environments have OmegaConf 2.3, whose `register_resolver` is another one.
_register = OmegaConf.register_new_resolver if __version__.startswith("2.3.") else OmegaConf.register_resolver
_register("python_stdlib", lambda: sysconfig.get_paths()["stdlib"], replace=True)


@dataclass
class Composed:
    """A composed recipe: plain values, and where each key was last set (`file:line` or `--set key`)."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, str] = field(default_factory=dict)

    def place_of(self, path: Sequence[str | int]) -> str:
        """Where `path`, or the nearest section above it, was set."""
        keys = tuple(str(key) for key in path)
        for length in range(len(keys), -1, -1):
            if keys[:length] in self.places:
                return self.places[keys[:length]]
        return "recipe"


def compose(recipe: str | Path, overrides: Sequence[str] = ()) -> Composed:
    """Reads `recipe` (a path, or the name of a packaged recipe), its fragments, and `key=value` overrides.

    Raises:
        RecipeError: a file is missing or isn't YAML, fragments extend each other in a circle, an override has no
            `=`, or an interpolation can't be resolved.
    """
    result = _read(find(recipe), ())
    for override in overrides:
        _apply(result, override)
    _take_out_nulls(result.values)
    try:
        resolved = OmegaConf.to_container(OmegaConf.create(result.values), resolve=True)
    except OmegaConfBaseException as error:
        key = str(getattr(error, "full_key", "") or "")
        raise RecipeError(
            str(error).splitlines()[0], place=result.place_of(key.split(".")), remedy="check the ${...} reference"
        ) from None
    assert isinstance(resolved, dict)
    result.values = {str(key): value for key, value in resolved.items()}
    return result


def _take_out_nulls(values: dict[str, Any]) -> None:
    for path in _NAMED:
        section: Any = values
        for key in path:
            section = section.get(key) if isinstance(section, dict) else None
        if isinstance(section, dict):
            for name in [name for name, entry in section.items() if entry is None]:
                del section[name]


def packaged() -> list[str]:
    """Names of the packaged recipes; fragments are left out."""
    names = (path.relative_to(RECIPES).with_suffix("").as_posix() for path in sorted(RECIPES.rglob("*.yaml")))
    return [name for name in names if name.split("/")[0] not in (*FRAGMENTS, SWEEPS)]


FRAGMENTS = ("models", "mixtures", "stages", "clusters")
"""Folders of recipes/ that hold parts, not whole recipes."""

SWEEPS = "sweeps"
"""Folder of recipes/ that holds sweeps."""


def find(recipe: str | Path) -> Path:
    """The file of a recipe given by path or packaged name. Raises RecipeError with the nearest name."""
    for candidate in (Path(recipe), RECIPES / f"{recipe}.yaml", RECIPES / str(recipe)):
        if candidate.is_file():
            return candidate
    near = difflib.get_close_matches(str(recipe).removesuffix(".yaml"), packaged(), n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else "`prism recipes list` shows the packaged ones"
    raise RecipeError("no such recipe, neither a file nor a packaged one", place=str(recipe), remedy=hint)


def _read(path: Path, above: tuple[Path, ...]) -> Composed:
    if path.resolve() in above:
        raise RecipeError(
            "the file extends itself, by way of its own fragments", place=str(path), remedy="break the circle"
        )
    values, places = read_yaml(path)
    extends = values.pop("extends", None) or []
    extends = [extends] if isinstance(extends, str) else extends
    if not isinstance(extends, list) or not all(isinstance(fragment, str) for fragment in extends):
        raise RecipeError(
            "extends takes a file or a list of files",
            place=places.get(("extends",), str(path)),
            remedy="write extends: models/miniature_dense.yaml",
        )
    result = Composed()
    for fragment in extends:
        part = _read(_fragment(path, str(fragment), places), (*above, path.resolve()))
        result.values = merged(result.values, part.values)
        result.places |= part.places
    values = current_recipe(values, places.get(("schema_version",), str(path)))
    result.values = merged(result.values, values)
    result.places |= {new_key(keys, ALL_RECIPE_MOVES): place for keys, place in places.items()}
    return result


def _fragment(path: Path, fragment: str, places: dict[KeyPath, str]) -> Path:
    for candidate in (path.parent / fragment, RECIPES / fragment):
        if candidate.is_file():
            return candidate
    raise RecipeError(
        f"extends {fragment}, which is neither beside this file nor among the packaged recipes",
        place=places.get(("extends",), str(path)),
        remedy="correct the path of the fragment",
    )


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """Plain values of a file, and where each key stands (`file:line`). Raises RecipeError: it isn't YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(f"not valid YAML ({error})", place=str(path), remedy="write plain UTF-8 YAML") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, place: str) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """`read_yaml` of a text that was read from `place`."""
    try:
        root = yaml.compose(text, Loader=_Loader)
        values = yaml.load(text, Loader=_Loader)
        places: dict[KeyPath, str] = {(): f"{place}:1", **{keys: f"{place}:{line}" for keys, line in _lines(root, ())}}
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RecipeError(
            f"not valid YAML ({error.problem})", place=f"{place}:{line}", remedy="mend the line"
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = "an alias holds itself" if isinstance(error, RecursionError) else str(error).splitlines()[0]
        raise RecipeError(f"not valid YAML ({reason})", place=place, remedy="write plain UTF-8 YAML") from None
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise RecipeError("a recipe is a mapping of sections", place=f"{place}:1", remedy="write `section:` keys")
    return values, places


def _lines(node: yaml.Node | None, above: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    """Line of every key. Raises yaml.MarkedYAMLError for a key that stands twice in one mapping."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.MarkedYAMLError(problem=f"{name} is set twice", problem_mark=key.start_mark)
            seen.add(name)
            yield (*above, name), key.start_mark.line + 1
            yield from _lines(value, (*above, name))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*above, str(index)), value.start_mark.line + 1
            yield from _lines(value, (*above, str(index)))


def _apply(recipe: Composed, override: str) -> None:
    key, equals, text = override.partition("=")
    keys = tuple(key.strip().split("."))
    if not equals or not all(keys):
        raise RecipeError(
            f"--set takes key=value, got {override!r}", place="--set", remedy="write --set midtrain.steps=100"
        )
    try:
        list(_lines(yaml.compose(text, Loader=_Loader), ()))
        value = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise RecipeError("the value isn't valid YAML", place=f"--set {key.strip()}", remedy="quote it") from None
    change: dict[str, Any] = {keys[-1]: value}
    for name in reversed(keys[:-1]):
        change = {name: change}
    recipe.values = merged(recipe.values, current_recipe(change, f"--set {key.strip()}"))
    keys = new_key(keys, ALL_RECIPE_MOVES)
    for length in range(1, len(keys) + 1):
        recipe.places.setdefault(keys[:length], f"--set {key.strip()}")
    recipe.places[keys] = f"--set {key.strip()}"


def dump(values: dict[str, Any]) -> str:
    """A recipe as YAML, keys in the order they were given."""
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)
