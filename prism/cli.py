"""The command line: parses, calls, prints. Each group of commands is a file of prism/commands."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from prism import __version__
from prism.commands import analyze, convert, data, doctor, launch, models, nemo, plan, recipes, rl, ruler, run, sweep

app = typer.Typer(
    name="prism",
    help="Mid-training, RL and the explanation of what they change, on megatron-core, from a laptop to H100s.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Mid-training, RL and the explanation of what they change, on megatron-core, from a laptop to H100s."""


for group in (run, plan, doctor):
    group.register(app)
app.add_typer(analyze.app, name="analyze")
app.add_typer(convert.app, name="convert")
app.add_typer(launch.app, name="launch")
app.add_typer(models.app, name="models")
app.add_typer(data.app, name="data")
app.add_typer(recipes.app, name="recipes")
app.add_typer(nemo.app, name="nemo")
app.add_typer(rl.app, name="rl")
app.add_typer(ruler.app, name="ruler")
app.add_typer(sweep.app, name="sweep")


def main() -> None:
    """Entry point of `prism`. Errors for the user are one line each; `--debug` shows the traceback."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if debug:
            traceback.print_exc()
        code = getattr(error, "exit_code", None)
        message = str(error) if code is not None else f"{type(error).__name__}: {error} (--debug shows where)"
        for line in message.splitlines() or [type(error).__name__]:
            print(f"error: {line}", file=sys.stderr)
        sys.exit(code if code is not None else 1)


if __name__ == "__main__":
    main()
