"""`prism doctor`: what this machine has, and what that means."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Adds `doctor` to `prism`."""
    app.command()(doctor)


def doctor() -> None:
    """Show versions, device, fused kernels, cores and memory. Exit code 1 when the engine can't run.

    Example: `prism doctor`
    """
    from rich.console import Console
    from rich.table import Table

    from prism.commands.diagnosis import diagnose

    table = Table("what", "found", "meaning", box=None, pad_edge=False)
    findings = diagnose()
    for finding in findings:
        mark = {True: "[green]", False: "[red]", None: ""}[finding.good]
        table.add_row(finding.what, f"{mark}{finding.found}", finding.meaning)
    Console().print(table)
    if any(finding.good is False for finding in findings):
        raise typer.Exit(1)
