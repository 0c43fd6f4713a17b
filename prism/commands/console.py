"""Where tables and progress go."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH = 160


def wide_console(*, quiet: bool = False) -> Console:
    """As wide as the terminal; in files and pipes wide enough that no column of a table is cut."""
    from rich.console import Console

    console = Console(quiet=quiet)
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(quiet=quiet, width=_WIDTH)


def tell_progress(first: bool) -> None:
    """Lines of log for what the package does, of the first rank alone; of others' packages warnings."""
    import logging

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("prism").setLevel(logging.INFO if first else logging.ERROR)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A title, and a table without lines; the first column is text, the others are figures."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", no_wrap=index == 0)
    for row in rows:
        table.add_row(*row)
    console = wide_console()
    console.print(title, style="italic", highlight=False, soft_wrap=True)
    console.print(table)
