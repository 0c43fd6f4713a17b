"""A model that a user names: RUN:STAGE, or a Hugging Face folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from prism.evaluate.subject import Subject, folder_subject, stage_subject
from prism.megatron.layout import layout_of
from prism.megatron.parallel import Layout
from prism.recipe import Recipe
from prism.recipe.named import is_model_folder, named_stage

_FOLDERS_SEED = 1


@dataclass(frozen=True)
class NamedModel:
    """A model before its process groups.

    layout, seed: of the process groups that it is opened in.
    open: opens it there; weights that have to be converted first go into the folder that it is given.
    recipe: of a stage's run.
    """

    name: str
    layout: Layout
    seed: int
    open: Callable[[Path], Subject]
    recipe: Recipe | None = None


def named_model(
    text: str, overrides: Sequence[str] = (), *, layout: Layout | None = None, precision: str = "fp32"
) -> NamedModel:
    """Finds out what `text` names; nothing is loaded.

    Args:
        overrides: of the run's recipe.
        layout: None is the recipe's for a stage, and one process for a folder.
        precision: of a folder's model, and with a layout of a stage's.

    Raises:
        UsageError: it names neither.
    """
    if is_model_folder(text):
        folder, spread = Path(text), layout or Layout()
        return NamedModel(
            text, spread, _FOLDERS_SEED, lambda work: folder_subject(folder, work, spread, precision=precision)
        )
    recipe, stage = named_stage(text, overrides)
    if layout is None:
        own = layout_of(recipe.cluster)
        return NamedModel(text, own, recipe.run.seed, lambda _: stage_subject(recipe, stage), recipe)
    return NamedModel(text, layout, recipe.run.seed, lambda _: stage_subject(recipe, stage, layout, precision), recipe)
