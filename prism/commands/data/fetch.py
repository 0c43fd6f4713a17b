"""`prism data fetch`: a recipe's sources from the hub, or from another disk, at a pinned commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prism.commands.options import Overrides, RecipeName

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from data_prep.fetch import FetchRequest

    Progress = Callable[[int, int], None]


def register(app: typer.Typer) -> None:
    app.command()(fetch)


def fetch(
    recipe: RecipeName,
    overrides: Overrides = None,
    source: Annotated[list[str] | None, typer.Option("--source", help="Only this source. May be repeated.")] = None,
    to: Annotated[Path | None, typer.Option("--to", help="Folder of data sets. Default: data.root.")] = None,
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
    from data_prep.fetch import copy_source, fetch_source, requests_of
    from prism.errors import BadInput
    from prism.recipe import load_recipe

    data, console = load_recipe(recipe, overrides or []).data, Console()
    requests = requests_of(data, source or [])
    target = to or Path(data.root)
    if dry_run:
        _list(requests, target, offline, console)
        return

    def log(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    failed: list[str] = []
    for request in requests:
        try:
            with _progress(request.name, console) as progress:
                if origin is not None:
                    copy_source(request, origin, target, log=log, progress=progress)
                else:
                    fetch_source(request, target, log=log, offline=offline, progress=progress)
        except DataError as error:  # the other sets don't depend on it
            if len(requests) == 1:
                raise
            failed.append(str(error))
    if not requests:
        log("no source of this recipe is on the hub")
    if failed:
        raise BadInput("\n".join(failed))
    _next(recipe, requests, target, Path(data.root), log)


def _next(recipe: str, requests: list[FetchRequest], target: Path, root: Path, log: Callable[[str], None]) -> None:
    if requests:
        where = "" if target.resolve() == root.resolve() else f" --set data.root={target}"
        log(f"next: prism data prepare {recipe}{where}")


def _list(requests: list[FetchRequest], target: Path, offline: bool, console: Console) -> None:
    from rich.table import Table

    from data_prep.errors import DataError
    from data_prep.fetch import plan_source, readable
    from prism.errors import BadInput

    table = Table("source", "hub id", "revision", "commit", "licence", "gated", box=None, pad_edge=False)
    for title in ("files", "size", "to fetch"):
        table.add_column(title, justify="right")
    failed = []
    for request in requests:
        row = [request.name, request.hub, request.revision[:12]]
        terms = [request.licence, "yes" if request.gated else "no"]
        try:
            plan = plan_source(request, target, offline=offline)
        except DataError as error:
            failed.append(str(error))
            table.add_row(*row, "?", *terms, "?", "?", "?")
            continue
        if plan.commit is None:
            table.add_row(*row, "?", *terms, "?", "?", "?")
            continue
        sizes = [f"{plan.files:,}", readable(plan.bytes), readable(plan.missing_bytes)]
        table.add_row(*row, plan.commit[:12], *terms, *sizes)
    console.print(table)
    if failed:
        raise BadInput("\n".join(failed))


@contextmanager
def _progress(name: str, console: Console) -> Iterator[Progress | None]:
    """A bar on a terminal, nothing elsewhere."""
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
