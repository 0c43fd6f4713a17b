"""The blend of a stage as weights and files, from its lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_prep.schema import lock_name

if TYPE_CHECKING:
    from prism.recipe import Recipe


def locked_blend(recipe: Recipe, stage: str) -> list[tuple[float, str]]:
    """(weight in percent, prefix) of every source; the files are those that were locked.

    Raises:
        DataError: there is no lock, or a file isn't what was locked.
    """
    from data_prep.blend.lock import verify_lock

    training = recipe.training_config(stage)
    lock = verify_lock(recipe.data_directory / "blends" / lock_name(training.blend, training.pack))
    return [(source.weight_percent, str(source.prefix.resolve())) for source in lock.sources]
