"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

RecipeName = Annotated[str, typer.Argument(help="Name of a packaged recipe, or a path.", metavar="RECIPE")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Override a key, such as midtrain.steps=100. May be repeated.")
]
