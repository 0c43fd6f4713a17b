"""A stage in training as far as the callbacks of operation look at it: a real recipe, no model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from prism.megatron.trainee import Trainee
from prism.recipe import MidtrainConfig, Recipe, load_recipe

if TYPE_CHECKING:
    from prism.train.callback import Training

STAGE = "mid"


@dataclass(frozen=True)
class StandingIn:
    recipe: Recipe
    config: MidtrainConfig
    folder: Path
    stage: str = STAGE

    @property
    def trainee(self) -> Trainee:
        raise NotImplementedError

    def switch_blend(self, step: int, blend: str, reason: str) -> None:
        raise NotImplementedError

    def back_to(self, step: int) -> int | None:
        raise NotImplementedError


def stage_in(root: Path, *overrides: str) -> Training:
    """The miniature's stage `mid` with its run directory in `root`."""
    recipe = load_recipe("miniature", [f"run.directory={root}", *overrides])
    return cast("Training", StandingIn(recipe, recipe.training_config(STAGE), recipe.stage_directory(STAGE)))
