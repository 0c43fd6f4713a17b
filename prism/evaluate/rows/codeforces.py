"""Codeforces problems, as open-r1/codeforces publishes them.

The prompt never holds the editorial, which explains the solution. Interactive problems, and those that read or write
files, can't be judged by standard input and output, and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from data_prep.api import NoPrompt
from prism.errors import BadInput
from prism.evaluate.rows.code import tests_of
from prism.evaluate.rows.columns import Record, groups, optional_text, text_of
from prism.evaluate.rows.settings import CodeforcesRows

_ASKED = (
    "Write a Python program that solves this problem of a programming contest. It reads its input from standard input "
    "and prints the result to standard output. Answer with the whole program in one code block that begins with "
    "```python."
)
_EASY, _MEDIUM = 1000, 1300
"""Ratings below which a problem counts as easy and as medium."""

_SECONDS, _MEGABYTES = 2.0, 256.0
"""Of problems that don't state their limits: what most have."""


def codeforces_row(record: Record, settings: CodeforcesRows) -> dict[str, Any]:
    """The problem as in the contest, judged by its official tests. Groups: `difficulty` by rating, and `tests`."""
    if optional_text(record, "interaction_format"):
        raise NoPrompt("interactive")
    if optional_text(record, "input_mode") not in ("", "stdio"):
        raise NoPrompt("files for input and output")
    if optional_text(record, "generated_checker") and settings.checkers == "skip":
        raise NoPrompt("several right outputs, judged by a checker program")
    complete = bool(record.get("official_tests_complete"))
    if not complete and settings.incomplete == "skip":
        raise NoPrompt("official tests that aren't complete")
    seconds, megabytes = _limit(record, "time_limit", _SECONDS), _limit(record, "memory_limit", _MEGABYTES)
    verifier = tests_of(_tests(record))
    verifier |= {"seconds": seconds, "memory_bytes": int(megabytes * (1 << 20)) + settings.interpreter_bytes}
    return {
        "id": text_of(record, "id"),
        "prompt": f"{_ASKED}\n\n{_statement(record, seconds, megabytes)}",
        "answer": "",
        "verifier": verifier,
        "group": groups(difficulty=_difficulty(record), tests="complete" if complete else "incomplete"),
    }


def _tests(record: Record) -> Sequence[Mapping[str, Any]]:
    found = record.get("official_tests")
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(case, Mapping) for case in found):
        raise BadInput("official_tests isn't a list of tests", remedy="bring the set's file again")
    return [{"input": case.get("input") or "", "output": case.get("output") or ""} for case in found]


def _limit(record: Record, column: str, usual: float) -> float:
    value = record.get(column)
    return float(value) if isinstance(value, int | float) and value > 0 else usual


def _difficulty(record: Record) -> str:
    rating = record.get("rating")
    if not isinstance(rating, int | float) or rating != rating or rating <= 0:
        return "unrated"
    return "easy" if rating < _EASY else "medium" if rating < _MEDIUM else "hard"


def _statement(record: Record, seconds: float, megabytes: float) -> str:
    parts = [
        f"# {optional_text(record, 'title') or text_of(record, 'id')}",
        f"Time limit: {seconds:g} s for each test. Memory limit: {megabytes:g} MB.",
        text_of(record, "description"),
    ]
    for title, column in (("Input", "input_format"), ("Output", "output_format")):
        if said := optional_text(record, column):
            parts.append(f"## {title}\n{said}")
    shown = [
        f"Input:\n```\n{optional_text(one, 'input')}\n```\nOutput:\n```\n{optional_text(one, 'output')}\n```"
        for one in record.get("examples") or []
    ]
    if shown:
        parts.append("## Examples\n" + "\n".join(shown))
    if note := optional_text(record, "note"):
        parts.append(f"## Note\n{note}")
    return "\n\n".join(parts)
