"""Where tables go."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH = 160


def wide_console(*, quiet: bool = False) -> Console:
    """As wide as the terminal; in files and pipes wide enough that no column of a table is cut."""
    from rich.console import Console

    console = Console(quiet=quiet)
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(quiet=quiet, width=_WIDTH)
