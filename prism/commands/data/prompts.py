"""`prism data prompts`: the prompt sets of RL from their sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from prism.commands.options import Overrides, RecipeName
from prism.errors import UsageError

if TYPE_CHECKING:
    from data_prep.api import PromptSetCard


def register(app: typer.Typer) -> None:
    app.command()(prompts)


def prompts(recipe: RecipeName, overrides: Overrides = None) -> None:
    """Make the prompt sets that a recipe's RL stages read, from their sources, and say what became of every row.

    Example: `prism data prompts my.yaml --set rl.prompts.science.draw.nemotron_stem=20000`
    """
    from data_prep.api import prompts_path, read_prompt_card
    from prism.pipeline.run import run
    from prism.recipe import load_recipe
    from prism.recipe.prompt_sets import prompt_sets

    loaded = load_recipe(recipe, overrides or [])
    sets = prompt_sets(loaded)
    if not sets:
        raise UsageError(
            "no stage reads prompts from sources",
            place=recipe,
            remedy="give rl.prompts.<domain>.sources, and the pipeline a difficulty or rl stage",
        )
    run(load_recipe(recipe, overrides or [], files=True), only=["prompts"])
    for domain in sets:
        path = prompts_path(loaded.data_directory, domain)
        _print(read_prompt_card(path))
        print(f"made: {path}")
    print(f"next: prism rl {recipe}")


def _print(card: PromptSetCard) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{card.domain}: {card.prompts:,} prompts", title_justify="left", box=None, pad_edge=False)
    table.add_column("source")
    table.add_column("rows", justify="right")
    table.add_column("became")
    for source in card.sources:
        gone = {
            **source.dropped,
            **{f"question of {name}": sum(kinds.values()) for name, kinds in source.decontamination["by_set"].items()},
            f"asked before, {source.repeated_with_other_answer:,} with another answer": source.repeated,
            "not drawn": source.not_drawn,
        }
        table.add_row(source.source, f"{source.rows:,}", f"{source.prompts:,} prompts", style="bold")
        for reason, count in gone.items():
            if count:
                table.add_row("", "", f"{count:,} {reason}")
        if source.tests_left_out:
            table.add_row("", "", f"{source.tests_left_out:,} tests of them left out")
    Console(highlight=False, markup=False, soft_wrap=True).print(table)
