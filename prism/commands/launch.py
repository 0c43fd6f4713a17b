"""`prism launch`: a recipe's graph in many processes, on this machine or as Slurm jobs; what became of the jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from prism.commands.console import wide_console
from prism.commands.options import Overrides, RecipeName, RecipeOrCommand

Run = Annotated[Path, typer.Argument(help="Folder of a run.", metavar="RUN")]


app = typer.Typer(
    cls=RecipeOrCommand,
    help="Run a recipe in many processes: here, or as a chain of Slurm jobs. `prism launch RECIPE` is `launch run`.\n\n"
    "Example: `prism launch miniature --processes 2 --set cluster.tensor_parallel=2`",
    no_args_is_help=True,
)


@app.command("run")
def launch(
    recipe: RecipeName,
    cluster: Annotated[
        Literal["local", "slurm"], typer.Option(help="local: this machine, under torchrun. slurm: a job a stage.")
    ] = "local",
    processes: Annotated[
        int | None, typer.Option(help="Processes of each stage, one a device; the recipe's by default.", min=1)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With slurm: print the scripts, submit nothing.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Only this node and what it needs. May be repeated.")] = None,
    overrides: Overrides = None,
) -> None:
    """Run a recipe's graph: here, each stage in `--processes` processes, or as Slurm jobs that wait for one another.

    What is finished and unchanged isn't submitted: the same command goes on after a failure.

    Example: `prism launch my_run.yaml --cluster slurm --dry-run`
    """
    from prism.recipe import load_recipe

    given = [] if processes is None else [f"cluster.processes={processes}"]
    loaded = load_recipe(recipe, [*given, *(overrides or [])], files=not dry_run)
    if cluster == "local":
        from prism.commands.summary import print_summary
        from prism.pipeline.run import run

        print_summary(run(loaded, only=only))
        return
    from prism.pipeline.launching import launch_on_slurm, preview

    if dry_run:
        for name, script in preview(loaded, only):
            print(f"### {name}\n{script}")
        return
    launched = launch_on_slurm(loaded, only)
    for name, (number, nodes) in launched.items():
        print(f"{number}  {name}" + (f": {', '.join(nodes)}" if len(nodes) > 1 else ""))
    if launched:
        print(f"scripts: {loaded.run_directory / 'launch'}\nnext: prism launch status {loaded.run_directory}")
    else:
        print("nothing to do: every node is finished and unchanged")


@app.command()
def status(run: Run) -> None:
    """Show each node of a run: done, waiting, running at which step, failed with its log; and the goodput.

    Example: `prism launch status runs/my_run`
    """
    from rich.table import Table

    from prism.pipeline.launching import node_states

    table = Table("node", "state", "job", "on", box=None, pad_edge=False)
    for title in ("held", "goodput"):
        table.add_column(title, justify="right")
    table.add_column("")
    for state in node_states(run):
        table.add_row(state.node, state.state, state.job, state.machines, state.held, state.goodput, state.note)
    wide_console().print(table)


@app.command()
def logs(
    run: Run,
    node: Annotated[str | None, typer.Argument(help="A node of the run; all that have failed by default.")] = None,
    lines: Annotated[int, typer.Option(help="Last lines of each log.", min=1)] = 40,
    follow: Annotated[bool, typer.Option("--follow", help="Go on printing what comes, until Ctrl-C.")] = False,
) -> None:
    """Print a node's log and its job's, newest lines.

    Example: `prism launch logs runs/my_run mid --follow`
    """
    from prism.pipeline.launching import follow_file, node_logs

    files = node_logs(run, node)
    for file in files:
        print(f"==> {file}")
        for line in file.read_text(errors="replace").splitlines()[-lines:]:
            print(line)
    if follow and files:
        follow_file(files[0])


@app.command()
def cancel(run: Run) -> None:
    """Take all of a run's jobs out of the queue and wait until they are gone. What they saved stays.

    Example: `prism launch cancel runs/my_run`
    """
    from prism.pipeline.launching import cancel_run

    gone = cancel_run(run)
    print(f"cancelled: {', '.join(gone)}" if gone else "no job of this run is queued")
