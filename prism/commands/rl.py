"""`prism rl`: the stages of RL, and what stands beside them.

`prism rl RECIPE` stays what it is for every other stage: all of the recipe's stages of that kind.
"""

from __future__ import annotations

import typer

from prism.commands.aligner import aligner
from prism.commands.options import RecipeOrCommand
from prism.commands.reward_server import reward_server
from prism.commands.run import of_kinds, stage_help

app = typer.Typer(
    cls=RecipeOrCommand,
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
