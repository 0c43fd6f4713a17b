"""What a run prints at its end: the claims, where the report is, what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from prism.pipeline.run import RunReport

_MARKS = {True: "[green]holds[/]", False: "[red]does not hold[/]", None: "-"}


def print_summary(done: RunReport) -> None:
    """Prints the claims as a table and the paths of what was made."""
    console = Console()
    if done.summary is not None:
        table = Table("claim", "value", "threshold", "", title=None, box=None, pad_edge=False)
        for claim in done.summary["claims"]:
            value = "-" if claim["value"] is None else f"{claim['value']:.4g} {claim['unit']}".strip()
            table.add_row(claim["name"], value, claim["threshold"] or "", _MARKS[claim["holds"]])
        console.print(table)
    ran, skipped = len(done.tally.ran), len(done.tally.skipped)
    console.print(f"{ran} nodes ran, {skipped} were skipped because nothing that they depend on changed")
    if done.summary is not None:
        console.print(f"report:  {done.directory / 'report.html'}", highlight=False, soft_wrap=True)
        console.print(f"figures: {done.directory / 'summary.json'}", highlight=False, soft_wrap=True)
        console.print("next:    open the report; change a key with --set and run again", highlight=False)
    else:
        console.print(f"made:    {done.directory}", highlight=False, soft_wrap=True)
        console.print("next:    prism run RECIPE goes on to the report", highlight=False)
