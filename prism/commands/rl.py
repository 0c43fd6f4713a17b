"""`prism rl`: the stages of RL, and what stands beside them.

`prism rl RECIPE` stays what it is for every other stage: all of the recipe's stages of that kind.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from prism.commands.aligner import aligner
from prism.commands.reward_server import reward_server
from prism.commands.run import of_kinds, stage_help


class _RecipeOrCommand(TyperGroup):
    """A first word that is no command is a recipe, and goes to `for_recipes`."""

    for_recipes = "run"

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """See click, which typer carries within itself."""
        if args and args[0] not in self.commands:
            args = [self.for_recipes, *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_RecipeOrCommand,
    help="Run the difficulty filter and the RL stages of a recipe; serve its rewards; hand it to NeMo-Aligner.\n\n"
    "Example: `prism rl miniature`",
    no_args_is_help=True,
)
app.command("run", help=stage_help("Run the difficulty filter and the RL stages", "rl run"))(
    of_kinds(("difficulty", "rl"))
)
app.command("difficulty", help=stage_help("Sample every prompt several times and build the mixes", "rl difficulty"))(
    of_kinds(("difficulty",))
)
app.command("reward-server")(reward_server)
app.command("aligner")(aligner)
