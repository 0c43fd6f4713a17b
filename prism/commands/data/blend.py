"""`prism data blend`: forecast blends."""

from __future__ import annotations

from typing import Annotated

import typer

from prism.commands.options import Overrides, RecipeName

app = typer.Typer(help="Look ahead at blends.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="blend")


@app.command()
def plan(
    recipe: RecipeName,
    overrides: Overrides = None,
    blend: Annotated[str | None, typer.Option(help="Only this blend.")] = None,
) -> None:
    """Forecast each blend at its budget: tokens and epochs by source. Exit code 3 when data.max_epochs is exceeded.

    Example: `prism data blend plan miniature --blend math`
    """
    from rich.console import Console
    from rich.table import Table

    from data_prep.blend_plan import check_epochs
    from prism.pipeline.budgets import blend_budgets, forecast
    from prism.recipe import load_recipe

    loaded = load_recipe(recipe, overrides or [])
    console = Console()
    for name in blend_budgets(loaded):
        if blend not in (None, name):
            continue
        planned = forecast(loaded, name)
        table = Table("source", "domain", box=None, pad_edge=False, title=f"{name}: {planned.budget_tokens:,} tokens")
        for title in ("weight", "tokens", "available", "epochs"):
            table.add_column(title, justify="right")
        for source in planned.sources:
            table.add_row(
                source.name,
                source.domain,
                f"{source.weight_percent:g} %",
                f"{source.tokens:,}",
                f"{source.available:,}",
                f"{source.epochs:.2f}",
            )
        console.print(table)
        check_epochs(planned, loaded.data.max_epochs)
