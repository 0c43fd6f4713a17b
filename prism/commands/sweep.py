"""`prism sweep`: show, run, report, list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from prism.commands.options import Overrides

if TYPE_CHECKING:
    from prism.sweep.members import Sweep, SweepRun

app = typer.Typer(help="Run a recipe with other keys and set the figures side by side.", no_args_is_help=True)

SweepName = Annotated[str, typer.Argument(help="Name of a packaged sweep, or a path.", metavar="SWEEP")]
RecipeOption = Annotated[str | None, typer.Option("--recipe", help="In place of the sweep's own recipe.")]
Yes = Annotated[bool, typer.Option("--yes", help="So many runs are meant.")]
Only = Annotated[
    list[str] | None, typer.Option("--only", help="Only this member, or run such as early-seed2. May be repeated.")
]


@app.command("list")
def list_sweeps() -> None:
    """List the packaged sweeps.

    Example: `prism sweep list`
    """
    from prism.recipe.sweeps import load_sweep, packaged_sweeps

    for name in packaged_sweeps():
        print(f"{name:28} {load_sweep(name).config.title}")


@app.command()
def show(
    sweep: SweepName,
    overrides: Overrides = None,
    only: Only = None,
    recipe: RecipeOption = None,
    commands: Annotated[bool, typer.Option("--commands", help="Print each run as a call of prism run.")] = False,
    yes: Yes = False,
) -> None:
    """Show what a sweep would run: members, steps, tokens, and what is done once for several.

    Example: `prism sweep show miniature_token_budget`
    """
    from rich.console import Console
    from rich.table import Table

    from prism.sweep.plan import plan
    from prism.sweep.results import place_of_member

    loaded = _load(sweep, overrides, recipe, yes)
    planned = plan(loaded, _chosen(loaded, only))
    if commands:
        for one in planned:
            print(_command(loaded, one.run, one.wanted, sorted(set(one.taken.values()))))
        return
    axis = loaded.file.config.x
    table = Table("run", box=None, pad_edge=False)
    for title in (*([axis.label or axis.value] if axis else []), "steps", "tokens"):
        table.add_column(title, justify="right")
    for title in ("does", "takes"):
        table.add_column(title, overflow="fold")
    for one in planned:
        place = place_of_member(loaded, one.run)
        shown = f"{place:,}" if isinstance(place, int) else str(place)
        own = ", ".join(name for name in one.nodes if name not in one.taken)
        by_run: dict[str, list[str]] = {}
        for node, owner in one.taken.items():
            by_run.setdefault(owner, []).append(node)
        taken = "; ".join(f"{', '.join(nodes)} from {owner}" for owner, nodes in by_run.items())
        table.add_row(one.run.name, *([shown] if axis else []), f"{one.steps:,}", f"{one.tokens:,}", own, taken or "-")
    console = Console()
    console.print(f"{loaded.name}: {len(planned)} runs of {loaded.recipe} in {loaded.directory}", highlight=False)
    console.print(table)
    steps, tokens = sum(one.steps for one in planned), sum(one.tokens for one in planned)
    console.print(f"in all: {steps:,} optimizer steps, {tokens:,} training tokens", highlight=False)


@app.command()
def run(
    sweep: SweepName,
    overrides: Overrides = None,
    only: Only = None,
    recipe: RecipeOption = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Runs side by side.")] = 1,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Start nothing more after a failure.")] = False,
    cluster: Annotated[
        Literal["local", "slurm"], typer.Option(help="local: here. slurm: arrays of jobs, a run a machine.")
    ] = "local",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With slurm: print the scripts, submit nothing.")] = False,
    yes: Yes = False,
) -> None:
    """Run every member, what is alike once, then write table and plot; what is finished and unchanged is skipped.

    With `--cluster slurm` it only submits; `prism sweep report` writes table and plot.

    Example: `prism sweep run miniature_when --jobs 2`
    """
    if cluster == "slurm":
        _launch(_load(sweep, overrides, recipe, yes), only, dry_run)
        return
    from prism.errors import PrismError
    from prism.pipeline.progress import open_display
    from prism.sweep.execute import execute
    from prism.sweep.plan import jobs as jobs_of
    from prism.sweep.plan import plan

    loaded = _load(sweep, overrides, recipe, yes)
    planned = plan(loaded, _chosen(loaded, only))
    display = open_display()
    try:
        failed = execute(loaded, jobs_of(planned, jobs), jobs, display, fail_fast=fail_fast)
    finally:
        display.close()
    _report(loaded)
    if failed:
        error = PrismError(
            f"{', '.join(failed)} failed",
            place=str(loaded.directory),
            remedy="see the lines above, mend it and call the same command again: what is finished is skipped",
        )
        error.exit_code = next(iter(failed.values()))  # type: ignore[misc]
        raise error


@app.command()
def report(sweep: SweepName, overrides: Overrides = None, recipe: RecipeOption = None, yes: Yes = False) -> None:
    """Write table and plot anew from what the runs have so far; give the options that the sweep was run with.

    Example: `prism sweep report miniature_when`
    """
    _report(_load(sweep, overrides, recipe, yes))


def _launch(loaded: Sweep, only: Sequence[str] | None, dry_run: bool) -> None:
    from prism.sweep.launching import launch_sweep, sweep_scripts
    from prism.sweep.plan import plan

    planned = plan(loaded, _chosen(loaded, only))
    if dry_run:
        for name, script in sweep_scripts(loaded, planned, Path.cwd()).items():
            print(f"### {name}.sbatch\n{script}")
        return
    for number, names in launch_sweep(loaded, planned).items():
        print(f"{number}  {', '.join(names)}")
    print(f"scripts: {loaded.directory / 'launch'}\nnext: prism sweep report {loaded.name}, when they have ended")


def _load(sweep: str, overrides: Sequence[str] | None, recipe: str | None, yes: bool) -> Sweep:
    from prism.recipe.sweeps import load_sweep
    from prism.sweep.members import expand

    return expand(load_sweep(sweep), overrides or (), recipe=recipe, many=yes)


def _chosen(sweep: Sweep, only: Sequence[str] | None) -> list[SweepRun]:
    from prism.errors import UsageError
    from prism.recipe.findings import nearest

    for name in only or ():
        if name not in (known := {*sweep.members(), *(run.name for run in sweep.runs)}):
            raise UsageError(f"no member {name}", place="--only", remedy=nearest(name, sorted(known)))
    return [run for run in sweep.runs if not only or run.member in only or run.name in only]


def _command(sweep: Sweep, run: SweepRun, only: Sequence[str], others: Sequence[str]) -> str:
    import shlex

    parts = ["prism", "run", sweep.recipe, *(part for key in run.overrides for part in ("--set", key))]
    parts += [part for node in only for part in ("--only", node)]
    parts += [part for other in others for part in ("--reuse", str(sweep.directory / other))]
    return shlex.join(parts)


def _report(sweep: Sweep) -> None:
    from rich.console import Console
    from rich.table import Table

    from prism.sweep.page import write_page
    from prism.sweep.results import collect
    from prism.sweep.write import paper_table, table, write_files

    results = collect(sweep)
    files: list[Path] = [*write_files(results), write_page(results)]
    console = Console()
    shown = [(results.title, table(results))]
    if results.paper is not None and results.paper.lines:
        shown.append((f"{results.paper.table} of the paper, {results.paper.model}", paper_table(results.paper.lines)))
    for title, rows in shown:
        drawn = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for number, name in enumerate(rows[0]):
            drawn.add_column(name, justify="right" if number else "left")
        for row in rows[1:]:
            drawn.add_row(*row)
        console.print(drawn)
    for reason in results.reasons():
        console.print(f"missing: {reason}", highlight=False, soft_wrap=True)
    for file in files:
        console.print(f"made:    {file}", highlight=False, soft_wrap=True)
