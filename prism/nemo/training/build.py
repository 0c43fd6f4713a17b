"""NeMo's recipe object from settings. Needs NeMo, not a GPU."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from prism.nemo.training.values import Made, Named, NemoSettings


def build(settings: NemoSettings) -> Any:
    """The `run.Partial` of NeMo's recipe with every setting in it; nothing in it is built yet."""
    module = importlib.import_module(f"nemo.collections.llm.recipes.{settings.recipe}")
    recipe = module.pretrain_recipe(
        name=settings.name, dir=settings.folder, num_nodes=settings.nodes, num_gpus_per_node=settings.devices
    )
    for setting in settings.settings:
        *parents, last = setting.path.split(".")
        place = recipe
        for parent in parents:
            place = getattr(place, parent)
        setattr(place, last, resolved(setting.value))
    return recipe


def resolved(value: Any) -> Any:
    """A plain value as NeMo takes it."""
    if isinstance(value, Named):
        found = _named(value.name)
        return found() if value.call else found
    if isinstance(value, Made):
        import nemo_run as run

        return run.Config(_named(value.name), **{key: resolved(item) for key, item in value.arguments.items()})
    if isinstance(value, Mapping):
        return {key: resolved(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolved(item) for item in value]
    return value


def as_yaml(recipe: Any) -> str:
    """NeMo's own text of a recipe; functions and classes stand in it by name."""
    from nemo_run.core.serialization.yaml import YamlSerializer

    return str(YamlSerializer().serialize(recipe))


def as_zlib_json(recipe: Any) -> str:
    """What nemo_run hands to its executors; it reads back as an equal recipe."""
    from nemo_run.core.serialization.zlib_json import ZlibJSONSerializer

    return str(ZlibJSONSerializer().serialize(recipe))


def _named(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)
