"""`prism ruler`: scores of a run by length, and prompts to look at or to use elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Long context by RULER: scores of a run, and the prompts themselves.", no_args_is_help=True)


@app.command()
def table(run: Annotated[Path, typer.Argument(help="Folder of a run.", metavar="RUN")]) -> None:
    """Print a run's RULER scores by stage and length, as a Markdown table.

    Example: `prism ruler table runs/miniature_long_context`
    """
    from prism.evaluate.ruler.table import mean_table, ruler_scores

    typer.echo(mean_table(ruler_scores(run)))


@app.command()
def write(
    tasks: Annotated[list[str], typer.Argument(help="Tasks or suites, as in evaluate.tasks: ruler@8192.")],
    tokenizer: Annotated[Path, typer.Option(help="tokenizer.json that lengths are measured with.")],
    out: Annotated[Path, typer.Option(help="Folder for a JSON lines file a task.")],
    end_of_document: Annotated[str, typer.Option(help="The tokenizer's end-of-document token.")] = "<eos>",
    prompts: Annotated[int | None, typer.Option(min=1, help="Most prompts a task.")] = None,
    data: Annotated[Path | None, typer.Option(help="Essay or questions, in place of the tasks' own.")] = None,
) -> None:
    """Write the prompts of RULER tasks, with what is expected, for another harness or for the eye.

    Example: `prism ruler write ruler_vt@4096 --tokenizer hf/tokenizer.json --out prompts`
    """
    from prism.commands.ruler_prompts import write_prompts

    for line in write_prompts(tasks, tokenizer, end_of_document, out, prompts, data):
        typer.echo(line)
