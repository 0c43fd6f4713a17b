"""A stage of a run by its name, RUN:STAGE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prism.errors import UsageError
from prism.recipe.load import load_recipe
from prism.recipe.recipe import Recipe


def is_model_folder(text: str) -> bool:
    """Whether it is a folder of a Hugging Face model."""
    return (Path(text) / "config.json").is_file()


def require_models(texts: Sequence[str], overrides: Sequence[str] = ()) -> None:
    """Looks before torch is imported. Raises UsageError where a text is neither RUN:STAGE nor a Hugging Face folder."""
    for text in texts:
        if not is_model_folder(text):
            named_stage(text, overrides)


def named_stage(text: str, overrides: Sequence[str] = ()) -> tuple[Recipe, str]:
    """The recipe and the stage of RUN:STAGE.

    Raises:
        UsageError: there is no such run, or no such stage in it that leaves a checkpoint.
    """
    run, _, stage = text.rpartition(":")
    path = Path(run) / "recipe.yaml"
    if not run or not path.is_file():
        raise UsageError(
            "neither a run's stage nor a Hugging Face folder",
            place=text,
            remedy="write RUN:STAGE, such as runs/miniature:rl, or a folder with config.json",
        )
    recipe = load_recipe(path, overrides)
    place = path.resolve().parent  # a run may have been moved since
    own = recipe.run.model_copy(update={"directory": str(place.parent), "name": place.name})
    recipe = recipe.model_copy(update={"run": own})
    if stage not in recipe.checkpoint_stages():
        raise UsageError(
            f"no stage {stage} that leaves a checkpoint",
            place=str(path),
            remedy=f"use one of {', '.join(recipe.checkpoint_stages())}",
        )
    return recipe, stage
