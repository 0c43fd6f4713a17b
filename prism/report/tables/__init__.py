"""The paper's tables for a run, with the paper's own figures beside them."""

from prism.report.tables.build import TABLES, build_tables
from prism.report.tables.latex import latex
from prism.report.tables.markdown import markdown
from prism.report.tables.table import Cell, Column, Row, Table
from prism.report.tables.write import FORMATS, write_tables

__all__ = [
    "FORMATS",
    "TABLES",
    "Cell",
    "Column",
    "Row",
    "Table",
    "build_tables",
    "latex",
    "markdown",
    "write_tables",
]
