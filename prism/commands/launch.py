"""`prism launch`: run a recipe on a machine with several devices."""

from __future__ import annotations

from typing import Annotated

import typer

from prism.commands.options import Overrides, RecipeName


def register(app: typer.Typer) -> None:
    """Adds `launch` to `prism`."""
    app.command()(launch)


def launch(
    recipe: RecipeName,
    processes: Annotated[int, typer.Option(help="Processes of each stage, one a device.")] = 1,
    overrides: Overrides = None,
) -> None:
    """Run a recipe's graph on this machine, each stage in `--processes` processes under torchrun.

    Example: `prism launch miniature --processes 2 --set cluster.tensor_parallel=2`
    """
    from prism.commands.summary import print_summary
    from prism.pipeline.run import run
    from prism.recipe import load_recipe

    loaded = load_recipe(recipe, [f"cluster.processes={processes}", *(overrides or [])], files=True)
    print_summary(run(loaded))
