"""`prism models`: which models there are, and whether a recipe's model is what was published."""

from __future__ import annotations

from typing import Annotated

import typer

from prism.commands.options import Overrides, RecipeName

app = typer.Typer(help="Model families, and the true size of a recipe's model.", no_args_is_help=True)


@app.command("list")
def list_families() -> None:
    """List the families whose Hugging Face checkpoints can be converted.

    Example: `prism models list`
    """
    from prism.models.family import FAMILIES

    for name, family in FAMILIES.items():
        print(f"{name:20} {family.model_type:18} {family.architecture}")


@app.command()
def check(
    recipe: RecipeName,
    world: Annotated[int | None, typer.Option(help="Processes; cluster.processes by default.", min=1)] = None,
    overrides: Overrides = None,
) -> None:
    """Build a recipe's model at its true size, without memory, on every pipeline rank; count its parameters.

    Example: `prism models check llama_3_1_8b/math --world 128`
    """
    from rich.console import Console
    from rich.table import Table

    from prism.megatron.true_size import check_size
    from prism.recipe import load_recipe

    loaded = load_recipe(recipe, overrides or [])
    size = check_size(loaded.model, loaded.cluster, world or loaded.cluster.processes)
    console = Console()
    table = Table("pipeline rank", box=None, pad_edge=False)
    for title in ("layers", "parameters on a rank", "padding", "tied copies"):
        table.add_column(title, justify="right")
    for rank, stage in enumerate(size.stages):
        cells = [stage.layers, stage.parameters, stage.padding, stage.tied]
        table.add_row(str(rank), *(f"{cell:,}" for cell in cells))
    console.print(table)
    console.print(f"{size.parameters:,} parameters in all, without padding and copies")
