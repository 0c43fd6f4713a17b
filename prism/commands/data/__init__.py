"""`prism data`: from raw sources to locked blends. A file a group of commands."""

from __future__ import annotations

import typer

from prism.commands.data import blend, fetch, look, prepare, prompts

app = typer.Typer(help="Prepare sources, plan blends, look inside.", no_args_is_help=True)
prepare.register(app)
fetch.register(app)
blend.register(app)
look.register(app)
prompts.register(app)
