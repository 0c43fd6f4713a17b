"""Writes tables into a folder, a file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from data_prep.files import write_text
from prism.report.tables.latex import latex
from prism.report.tables.markdown import markdown
from prism.report.tables.table import Table

Format = Literal["markdown", "latex"]
FORMATS: Mapping[Format, tuple[str, Callable[[Table], str]]] = {"markdown": ("md", markdown), "latex": ("tex", latex)}
"""Ending of the file, and what draws it."""


def write_tables(tables: Sequence[Table], folder: Path, form: Format) -> list[Path]:
    """Returns the files: table_06.md, or table_06.tex."""
    ending, draw = FORMATS[form]
    paths = [folder / f"table_{table.number:02}.{ending}" for table in tables]
    for path, table in zip(paths, tables, strict=True):
        write_text(path, draw(table))
    return paths
