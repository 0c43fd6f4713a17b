"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

RecipeName = Annotated[str, typer.Argument(help="Name of a packaged recipe, or a path.", metavar="RECIPE")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Override a key, such as midtrain.steps=100. May be repeated.")
]


class RecipeOrCommand(TyperGroup):
    """A group whose first word, when it is no command, is a recipe and goes to the command `run`."""

    for_recipes = "run"

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """See click, which typer carries within itself."""
        if args and args[0] not in self.commands:
            args = [self.for_recipes, *args]
        return super().resolve_command(ctx, args)
