"""`prism analyze`: what training changed. `prism analyze RECIPE` is all of a recipe's comparisons."""

from __future__ import annotations

import typer

from prism.commands.analyze.cka import cka
from prism.commands.analyze.landscape import landscape
from prism.commands.analyze.responses import confidence, solvability
from prism.commands.analyze.weights import directions, footprint, trajectory, weights
from prism.commands.options import RecipeOrCommand
from prism.commands.run import of_nodes, stage_help

app = typer.Typer(
    cls=RecipeOrCommand,
    help="Compare weights, representations and responses: of a recipe's stages, or of any checkpoints.\n\n"
    "Example: `prism analyze miniature`",
    no_args_is_help=True,
)
app.command("run", help=stage_help("Compare weights and representations between the stages", "analyze run"))(
    of_nodes("analyze:", "landscape")
)
for command in (weights, directions, footprint, trajectory, cka, landscape, confidence, solvability):
    app.command()(command)
