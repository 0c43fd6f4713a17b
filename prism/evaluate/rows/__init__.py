"""Published data sets as prompts: one module a form of rows, chosen by a task's `rows`."""

from prism.evaluate.rows.read import TaskRows, read_rows
from prism.evaluate.rows.settings import RowsSettings

__all__ = ["RowsSettings", "TaskRows", "read_rows"]
