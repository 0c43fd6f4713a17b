"""What is set in a NeMo recipe, as plain values that print, compare and serialise anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Named:
    """Something of NeMo's world by its name, such as `torch.bfloat16`; with `call`, what it returns."""

    name: str
    call: bool = False


@dataclass(frozen=True)
class Made:
    """A configuration of the class or function `name`: built by NeMo only when the recipe runs."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """`path` of NeMo's recipe becomes `value`, which follows from `keys` of ours."""

    path: str
    value: Any
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class NemoSettings:
    """A NeMo recipe: `recipe` of `nemo.collections.llm.recipes`, then every setting in its order."""

    recipe: str
    name: str
    folder: str
    nodes: int
    devices: int
    settings: Sequence[Setting]

    def plain(self) -> dict[str, Any]:
        """As JSON or YAML has it: path -> value."""
        start = {
            "recipe": f"nemo.collections.llm.recipes.{self.recipe}.pretrain_recipe",
            "name": self.name,
            "dir": self.folder,
            "num_nodes": self.nodes,
            "num_gpus_per_node": self.devices,
        }
        return {**start, "settings": {one.path: plain_value(one.value) for one in self.settings}}

    def value(self, path: str) -> Any:
        """Raises KeyError when the path isn't set."""
        return next(one.value for one in self.settings if one.path == path)


def plain_value(value: Any) -> Any:
    if isinstance(value, Named):
        return f"{value.name}()" if value.call else value.name
    if isinstance(value, Made):
        return {"_target_": value.name, **{key: plain_value(item) for key, item in value.arguments.items()}}
    if isinstance(value, Mapping):
        return {key: plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    return value


def python_value(value: Any) -> str:
    """Source text that builds the value where nemo_run is imported as `run`."""
    if isinstance(value, Named):
        return f"{value.name}()" if value.call else value.name
    if isinstance(value, Made):
        given = "".join(f", {key}={python_value(item)}" for key, item in value.arguments.items())
        return f"run.Config({value.name}{given})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {python_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(python_value, value)) + "]"
    return repr(value)


def python_source(settings: NemoSettings) -> str:
    """A program that builds the recipe as `recipe`, and runs it when it is the main one."""
    names = sorted({name.rpartition(".")[0] for one in settings.settings for name in _names(one.value)})
    arguments = f"name={settings.name!r}, dir={settings.folder!r}, "
    arguments += f"num_nodes={settings.nodes}, num_gpus_per_node={settings.devices}"
    lines = ["import nemo_run as run", *(f"import {name}" for name in names)]
    lines += [f"from nemo.collections.llm.recipes import {settings.recipe}", ""]
    lines += [f"recipe = {settings.recipe}.pretrain_recipe({arguments})"]
    lines += [f"recipe.{one.path} = {python_value(one.value)}" for one in settings.settings]
    lines += ["", 'if __name__ == "__main__":', "    run.run(recipe, direct=True)"]
    return "\n".join(lines) + "\n"


def _names(value: Any) -> list[str]:
    if isinstance(value, Named):
        return [value.name]
    if isinstance(value, Made):
        return [value.name, *(name for item in value.arguments.values() for name in _names(item))]
    if isinstance(value, Mapping):
        return [name for item in value.values() for name in _names(item)]
    if isinstance(value, list | tuple):
        return [name for item in value for name in _names(item)]
    return []
