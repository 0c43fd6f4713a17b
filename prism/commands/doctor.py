"""`prism doctor`: what this machine has, and whether it is enough."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prism.commands.console import wide_console
from prism.commands.options import Overrides

if TYPE_CHECKING:
    from prism.doctor import Row


def register(app: typer.Typer) -> None:
    """Adds `doctor` to `prism`."""
    app.command()(doctor)


def doctor(
    recipe: Annotated[str | None, typer.Argument(help="Hold the machine to what this recipe needs.")] = None,
    overrides: Overrides = None,
    use: Annotated[str, typer.Option("--for", help="laptop, train (on GPUs), launch (jobs) or data.")] = "laptop",
    require: Annotated[str | None, typer.Option(help="Rows that must be there, such as slurm,mamba_ssm.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Folder of runs, whose disk is tried.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Run no kernel and write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    gpu_smoke: Annotated[
        bool, typer.Option("--gpu-smoke", help="Instead: kernels, 20 steps dense and hybrid, save and resume.")
    ] = False,
    size: Annotated[str, typer.Option(help="With --gpu-smoke: gpu (80 GB) or tiny (runs on a CPU too).")] = "gpu",
    out: Annotated[Path | None, typer.Option(help="With --gpu-smoke: write the figures to this file.")] = None,
) -> None:
    """Show versions, device, kernels, disk, limits and cluster, each with a verdict, and a remedy where one is needed.

    What is absent only counts where the use or the recipe needs it. Exit code 1 when a row fails.

    Example: `prism doctor llama_3_1_8b/math --for train --require slurm`
    """
    from prism.doctor import USES, Machine, Verdict, examine, needs_of
    from prism.errors import UsageError
    from prism.recipe import load_recipe

    if gpu_smoke:
        _smoke(size, out, folder)
        return
    if use not in USES:
        raise UsageError(f"no use {use!r}", place="--for", remedy=f"use one of {', '.join(USES)}")
    loaded = load_recipe(recipe, overrides or []) if recipe else None
    names = [name.strip() for name in (require or "").split(",") if name.strip()]
    runs = folder or Path(loaded.run.directory if loaded else "runs")
    rows = examine(Machine(runs), needs_of(use, names, loaded), quick=quick)
    if as_json:
        _print_json(rows)
    else:
        _print_table(rows)
    if any(row.verdict is Verdict.FAILS for row in rows):
        raise typer.Exit(1)


def _print_json(rows: list[Row]) -> None:
    import json
    from dataclasses import asdict

    print(json.dumps([{**asdict(row), "verdict": row.verdict.value} for row in rows], indent=1))


def _print_table(rows: list[Row]) -> None:
    from rich.table import Table
    from rich.text import Text

    from prism.doctor import Verdict

    colours = {Verdict.OK: "green", Verdict.SLOW: "yellow", Verdict.UNNEEDED: "dim", Verdict.FAILS: "red"}
    table = Table("group", "check", "verdict", "found", "remedy", box=None, pad_edge=False)
    for row in rows:
        remedy = row.remedy if row.verdict in (Verdict.SLOW, Verdict.FAILS) else ""
        verdict = Text(row.verdict.value, style=colours[row.verdict])
        table.add_row(row.group, row.name, verdict, Text(row.found), Text(remedy))
    console = wide_console()
    console.print(table)
    failing = [row.name for row in rows if row.verdict is Verdict.FAILS]
    console.print(f"failing: {', '.join(failing)}" if failing else "nothing that is needed fails", highlight=False)


def _smoke(size: str, out: Path | None, folder: Path | None) -> None:
    from prism.doctor.smoke import smoke

    raise typer.Exit(0 if smoke(size, out, folder) else 1)
