"""A JSON-lines log with one or more rows a step, cut back to the checkpoint when a run resumes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from data_prep.files import write_jsonl
from prism.errors import BadInput


class StepLog:
    """Appends JSON objects with a `step` and flushes each. Only the first rank writes (`enabled`).

    Args:
        resume_after: rows of later steps are dropped, since those steps run again.
    """

    def __init__(self, path: Path, *, resume_after: int, enabled: bool) -> None:
        self._enabled = enabled
        if not enabled:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            write_jsonl(path, list(_rows_until(path, resume_after)))
        self._handle = path.open("a")

    def append(self, row: dict[str, Any]) -> None:
        if self._enabled:
            self._handle.write(json.dumps(row, ensure_ascii=False) + "\n")
            self._handle.flush()

    def __enter__(self) -> StepLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._enabled:
            self._handle.close()


def _rows_until(path: Path, last_step: int) -> Iterator[dict[str, Any]]:
    """Rows of steps up to `last_step`; a last line that a kill cut short is dropped.

    Raises:
        BadInput: a line before the last isn't JSON.
    """
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            if number == len(lines):
                return
            raise BadInput(
                "not valid JSON", place=f"{path}:{number}", remedy="remove the stage's folder and run it again"
            ) from None
        if row["step"] > last_step:
            return
        yield row
