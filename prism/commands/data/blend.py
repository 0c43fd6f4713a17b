"""`prism data blend`: forecast blends."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prism.commands.options import Overrides, RecipeName

if TYPE_CHECKING:
    from prism.recipe import Recipe
    from prism.report.forecast import BlendForecast

_WIDTH = 160
"""Characters of a line where the output isn't a terminal, so that nothing is broken up."""

app = typer.Typer(help="Look ahead at blends.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="blend")


@app.command()
def plan(
    recipe: RecipeName,
    overrides: Overrides = None,
    blend: Annotated[str | None, typer.Option(help="Only this blend.")] = None,
    html: Annotated[Path | None, typer.Option(help="Also write a page with charts.", metavar="FILE")] = None,
    max_epochs: Annotated[float | None, typer.Option(help="Instead of data.max_epochs.")] = None,
) -> None:
    """Forecast each blend at its budget: tokens, epochs, and when a source begins again.

    Exit code 3 when a source is repeated more often than data.max_epochs, with what would do instead.

    Example: `prism data blend plan granite_3_3_8b/math_code_science --max-epochs 2 --html plan.html`
    """
    from rich.console import Console

    from data_prep.errors import GateRefused, UsageError
    from prism.commands.data.blend_tree import blend_tree
    from prism.recipe import load_recipe
    from prism.recipe.findings import nearest

    if max_epochs is not None and not (math.isfinite(max_epochs) and max_epochs > 0):
        raise UsageError(f"{max_epochs:g} isn't a number above 0", place="--max-epochs", remedy="give one such as 4")
    loaded = load_recipe(recipe, overrides or [])
    if blend is not None and blend not in loaded.data.blends:
        raise UsageError(f"unknown blend {blend}", place="--blend", remedy=nearest(blend, loaded.data.blends))
    forecasts = _forecasts(loaded, blend, loaded.data.max_epochs if max_epochs is None else max_epochs)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    for number, one in enumerate(forecasts):
        if number:
            console.print()
        console.print(blend_tree(one))
    if html is not None:
        from prism.report.blend_page import write_blend_page

        write_blend_page(html, loaded.run.name, forecasts)
        console.print(f"\nwritten: {html}", soft_wrap=True)
    refused = [one.title for one in forecasts if one.refusal is not None]
    if refused:
        raise GateRefused(
            f"too many epochs in {', '.join(dict.fromkeys(refused))}",
            place="data.max_epochs" if max_epochs is None else "--max-epochs",
            remedy="one of (a), (b), (c) printed with the blend",
        )


@app.command()
def table(
    page: Annotated[Path | None, typer.Option(help="Renew the tables of this page instead.", metavar="FILE")] = None,
) -> None:
    """The plans of the paper's mixtures next to the paper's figures, as Markdown; docs/blends.md is made with it.

    Example: `prism data blend table --page docs/blends.md`
    """
    from data_prep.errors import UsageError
    from data_prep.files import write_text
    from prism.report.blend_tables import tables, with_tables

    if page is None:
        typer.echo(tables(), nl=False)
    elif not page.is_file():
        raise UsageError("no such page", place=f"--page {page}", remedy="name one that has tables, as docs/blends.md")
    else:
        write_text(page, with_tables(page.read_text(encoding="utf-8"), str(page)))


def _forecasts(recipe: Recipe, blend: str | None, max_epochs: float | None) -> list[BlendForecast]:
    from prism.pipeline.budgets import blend_uses, forecast
    from prism.report.forecast import BlendForecast

    return [
        BlendForecast(
            plan=forecast(recipe, use.blend, use.tokens),
            tokens_per_step=use.tokens_per_step,
            stages=use.stages,
            pack=use.packing.capacity if use.packing else None,
            max_epochs=max_epochs,
        )
        for use in blend_uses(recipe)
        if blend in (None, use.blend)
    ]
