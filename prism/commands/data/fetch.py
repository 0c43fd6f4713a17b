"""`prism data fetch`: a recipe's sources from the hub, or from another disk, at a pinned commit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prism.commands.options import Overrides, RecipeName
from prism.commands.transfer import progress_bar

if TYPE_CHECKING:
    from rich.console import Console

    from data_prep.fetch import FetchRequest
    from data_prep.schema import DataConfig

_PIPED = 200
"""Columns of a table that goes to a file: one line a source."""


def register(app: typer.Typer) -> None:
    app.command()(fetch)


def fetch(
    recipe: RecipeName,
    overrides: Overrides = None,
    source: Annotated[list[str] | None, typer.Option("--source", help="Only this source. May be repeated.")] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder of data sets. Default: where the recipe reads them.")
    ] = None,
    origin: Annotated[
        Path | None, typer.Option("--from", help="Copy from this folder of fetched sets, such as a shared disk.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="No network: check that all is there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List sets, licences and sizes; fetch nothing.")] = False,
) -> None:
    """Bring a recipe's sources to a disk, at a pinned commit. Resumes; gated sets take HF_TOKEN. Exit code 4 when a set
    can't be had, 5 when the disk is full.

    Example: `prism data fetch llama_3_1_8b/math_code --source dclm_edu --to /shared/data`
    """
    from rich.console import Console

    from data_prep.errors import DataError
    from data_prep.fetch import check_folders, copy_source, fetch_source, left_out, requests_of
    from prism.errors import BadInput
    from prism.recipe import load_recipe
    from prism.recipe.prompt_sets import with_prompt_sources

    data, console = with_prompt_sources(load_recipe(recipe, overrides or []), source or []), Console()
    requests = requests_of(data, source or [])
    check_folders(requests, to)
    others = left_out(data) if not source else {}
    if dry_run:
        _list(requests, others, to, origin, offline, console)
        return

    def log(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    failed: list[str] = []
    for request in requests:
        try:
            with progress_bar(request.name, console) as progress:
                if origin is not None:
                    copy_source(request, origin, to, log=log, progress=progress)
                else:
                    fetch_source(request, to, log=log, offline=offline, progress=progress)
        except DataError as error:  # the other sets don't depend on it
            if len(requests) == 1:
                raise
            failed.append(str(error))
    for name, why in others.items():
        log(f"{name}: {why}")
    if failed:
        raise BadInput("\n".join(failed))
    if requests:
        log(f"next: prism data prepare {recipe}{_where(data, requests, to)}")


def _where(data: DataConfig, requests: list[FetchRequest], to: Path | None) -> str:
    """The overrides with which the recipe reads what was fetched."""
    if to is None or to.resolve() == Path(data.root).resolve():
        return ""
    names = dict.fromkeys(request.source for request in requests)
    own = [name for name in names if data.sources[name].path != f"{data.root}/{name}"]
    root = [f" --set data.root={to}"] if len(own) < len(names) else []
    return "".join([*root, *(f" --set data.sources.{name}.path={to / name}" for name in own)])


def _list(
    requests: list[FetchRequest],
    others: dict[str, str],
    to: Path | None,
    origin: Path | None,
    offline: bool,
    console: Console,
) -> None:
    from rich.table import Table

    from data_prep.errors import DataError
    from data_prep.fetch import plan_source, readable
    from prism.errors import BadInput

    table = Table("source", "hub id", "revision", "licence", "gated", box=None, pad_edge=False)
    for title in ("files", "size", "to fetch"):
        table.add_column(title, justify="right")
    for column in table.columns:
        column.overflow = "fold"  # an id cut short is no id
    failed = []
    for request in requests:
        terms = [request.licence, "yes" if request.gated else "no"]
        revision, sizes = request.revision[:12], ["?", "?", "?"]
        try:
            plan = plan_source(request, to, offline=offline, source=origin)
        except DataError as error:
            failed.append(str(error))
        else:
            if plan.commit is not None:
                sizes = [f"{plan.files:,}", readable(plan.bytes), readable(plan.missing_bytes)]
                if not plan.commit.startswith(revision):
                    revision += f" = {plan.commit[:12]}"
        table.add_row(request.name, request.hub, revision, *terms, *sizes)
    for name, why in others.items():
        table.add_row(name, why)
    if not console.is_terminal:
        console.width = max(console.width, _PIPED)
    console.print(table)
    if failed:
        raise BadInput("\n".join(failed))
