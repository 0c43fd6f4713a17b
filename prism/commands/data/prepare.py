"""`prism data prepare`: sources to tokens, cards and locks, here or on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from prism.commands.options import Overrides, RecipeName
from prism.errors import UsageError

if TYPE_CHECKING:
    from data_prep.api import Executor
    from prism.recipe import Recipe


class Where(StrEnum):
    """What runs the tasks."""

    LOCAL = "local"
    SLURM = "slurm"
    RAY = "ray"


def register(app: typer.Typer) -> None:
    app.command()(prepare)


def prepare(
    recipe: RecipeName,
    overrides: Overrides = None,
    executor: Annotated[Where, typer.Option(help="What runs the tasks.")] = Where.LOCAL,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Tasks at a time. Default: a core each, or what the cluster lets.", min=1, show_default=False
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="KEY=VALUE for Slurm or Ray, such as partition=cpu. May be repeated."),
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="Only this source, and no locks. May be repeated.")
    ] = None,
) -> None:
    """Tokenise a recipe's sources and lock its blends.

    Example: `prism data prepare my.yaml --executor slurm --option partition=cpu --option time=04:00:00`
    """
    from data_prep.api import Executor
    from prism.pipeline.run import run
    from prism.recipe import load_recipe

    chosen = Executor(executor.value, workers, _options(option or []))
    loaded = load_recipe(recipe, overrides or [], files=True)
    if chosen != Executor() or source:
        _prepare_sources(loaded, chosen, source or [])
    if source:
        print(f"made: {', '.join(source)} in {loaded.data_directory}\nnext: prism data prepare {recipe}")
        return
    run(loaded, only=["data"])  # finds the sources as they are wanted
    print(f"made: {loaded.data_directory}\nnext: prism data blend plan {recipe}")


def _prepare_sources(recipe: Recipe, executor: Executor, names: Sequence[str]) -> None:
    from data_prep import api
    from prism.pipeline.lock import run_lock

    for name in names:
        if name not in recipe.data.sources:
            raise UsageError(f"no source {name!r}", place="--source", remedy=f"use {', '.join(recipe.data.sources)}")
    with run_lock(recipe.run_directory):
        api.prepare(recipe.data, recipe.data_directory, sources=names or None, executor=executor)


def _options(written: Sequence[str]) -> dict[str, str]:
    """KEY=VALUE, or KEY alone for a switch of sbatch."""
    pairs = (one.partition("=") for one in written)
    return {key: value for key, _, value in pairs}
