"""Rows to prompts: each by the reader of the task's `rows`; those that give none are counted by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data_prep.api import NoPrompt
from prism.errors import BadInput
from prism.evaluate.rows.codeforces import codeforces_row
from prism.evaluate.rows.columns import Record
from prism.evaluate.rows.gpqa import gpqa_row
from prism.evaluate.rows.humaneval import humaneval_row
from prism.evaluate.rows.livecodebench import livecodebench_row
from prism.evaluate.rows.mathematics import math_row
from prism.evaluate.rows.settings import RowsSettings
from prism.score import PromptRow

Reader = Callable[[Record, Any], dict[str, Any]]
"""A prompt with its `answer` and `verifier`, and where the set has them `id` and `group`: groups by what is grouped.

Raises NoPrompt for a row that isn't asked, BadInput for one that isn't of the set.
"""

READERS: Mapping[str, Reader] = {
    "math": math_row,
    "gpqa": gpqa_row,
    "humaneval": humaneval_row,
    "livecodebench": livecodebench_row,
    "codeforces": codeforces_row,
}


@dataclass(frozen=True)
class TaskRows:
    """A task's rows. `left_out` counts those that aren't asked, by reason."""

    rows: Sequence[PromptRow]
    left_out: Mapping[str, int] = field(default_factory=dict)


def read_rows(settings: RowsSettings, found: Iterable[tuple[str, Record]], limit: int | None = None) -> TaskRows:
    """The first `limit` prompts of the rows, which come with their places.

    Raises:
        BadInput: a row isn't of the set, with its place; or no row is left.
    """
    reader, rows = READERS[settings.kind], list[PromptRow]()
    left_out: Counter[str] = Counter()
    for place, record in found:
        try:
            made = reader(record, settings)
        except NoPrompt as error:
            left_out[error.reason] += 1
        except BadInput as error:
            raise BadInput(error.message, place=place, remedy=error.remedy) from None
        else:
            rows.append({"id": str(len(rows)), **made})
            if len(rows) == limit:
                break
    if not rows:
        why = "; ".join(f"{count:,} {reason}" for reason, count in left_out.items()) or "the files are empty"
        raise BadInput(
            f"no prompt is left of the data ({why})",
            place=f"rows: {settings.kind}",
            remedy="change the settings below the task's `rows`, or bring the set's other files",
        )
    return TaskRows(rows, dict(left_out))
