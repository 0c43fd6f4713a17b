"""`prism data prepare`: sources to tokens, cards and locks."""

from __future__ import annotations

import typer

from prism.commands.options import Overrides, RecipeName


def register(app: typer.Typer) -> None:
    app.command()(prepare)


def prepare(recipe: RecipeName, overrides: Overrides = None) -> None:
    """Tokenise a recipe's sources and lock its blends.

    Example: `prism data prepare miniature`
    """
    from prism.pipeline.run import run
    from prism.recipe import load_recipe

    loaded = load_recipe(recipe, overrides or [], files=True)
    run(loaded, only=["data"])
    print(f"made: {loaded.data_directory}\nnext: prism data blend plan {recipe}")
