"""Whether NeMo is there, and what to say where it isn't."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from typing import TYPE_CHECKING

from prism.errors import UsageError
from prism.nemo.training import stand_ins
from prism.recipe.engines import trained_by_nemo

if TYPE_CHECKING:
    from prism.recipe import Recipe


def has_nemo() -> bool:
    """Looks for the packages without importing them."""
    return all(importlib.util.find_spec(name) is not None for name in ("nemo", "nemo_run", "fiddle"))


def check_nemo(container: str = "midtrain.nemo.container", stage: str = "the stage") -> None:
    """Raises UsageError where NeMo isn't installed, with the container that brings it."""
    if not has_nemo():
        raise UsageError(
            f"{stage} is trained by NeMo, which isn't installed here",
            place="midtrain.engine",
            remedy=f"run it in the container {container} (`prism launch` does), print its recipe with `prism nemo "
            "recipe RECIPE`, or train with --set midtrain.engine=prism",
        )


def check_nemo_for(recipe: Recipe, nodes: Iterable[str]) -> None:
    """The same for those of a run's nodes that NeMo trains."""
    for node in nodes:
        if trained_by_nemo(recipe, node):
            check_nemo(recipe.training_config(node).nemo.container, node)


def require_nemo(container: str = "midtrain.nemo.container", stage: str = "the stage") -> None:
    """Makes NeMo importable, on a CPU too.

    Raises:
        UsageError: it isn't installed here.
    """
    check_nemo(container, stage)
    stand_ins.install()
