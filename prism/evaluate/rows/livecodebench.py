"""LiveCodeBench, code generation (arXiv 2403.07974): problems of LeetCode, AtCoder and Codeforces by contest date."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from datetime import date
from typing import Any

from data_prep.api import NoPrompt
from prism.errors import BadInput
from prism.evaluate.rows.code import tests_of
from prism.evaluate.rows.columns import Record, groups, optional_text, text_of
from prism.evaluate.rows.settings import LiveCodeBenchRows
from prism.evaluate.rows.text_pickle import read_text_pickle

MOST_BYTES = 1 << 29
"""Of a problem's tests, unpacked; the largest published ones have about a fifth of it."""

_MODULES = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics", "itertools",
    "functools", "operator", "typing", "builtins",
)  # fmt: skip
SETUP = "\n".join(
    [
        *(f"from {module} import *" for module in _MODULES),
        f"import {', '.join(module for module in (*_MODULES, 'sys', 'io', 'json'))}",
        "sys.setrecursionlimit(50_000)",
    ]
)
"""Stands before each program, as the benchmark has it: starter code names List and others without importing them."""

_PROGRAM = (
    "Write a Python program that solves this problem. It reads its input from standard input and prints the result to "
    "standard output. Answer with the whole program in one code block that begins with ```python."
)
_FUNCTION = (
    "Solve this problem by completing the Python code that is begun below it. Answer with the whole code in one code "
    "block that begins with ```python, without tests of your own."
)


def livecodebench_row(record: Record, settings: LiveCodeBenchRows) -> dict[str, Any]:
    """The problem with its starter code, judged by public and private tests. Groups: `difficulty` and `platform`."""
    held = _date(text_of(record, "contest_date"))
    if not settings.first <= held <= settings.last:
        raise NoPrompt(f"contests outside {settings.first} to {settings.last}")
    starter = str(record.get("starter_code") or "").rstrip()
    name = _function(record) if starter else None
    cases = [*_cases(record, "public_test_cases"), *_cases(record, "private_test_cases")]
    verifier = tests_of(cases, name)
    verifier |= {"setup": SETUP, "seconds": settings.seconds, "memory_bytes": settings.memory_bytes}
    if verifier["test"] == "call":
        verifier["apart"] = True  # the time limit is a test's
    problem = text_of(record, "question_content")
    asked = f"{_FUNCTION}\n\n{problem}\n\n```python\n{starter}\n```" if starter else f"{_PROGRAM}\n\n{problem}"
    return {
        "id": text_of(record, "question_id"),
        "prompt": asked,
        "answer": "",
        "verifier": verifier,
        "group": groups(difficulty=optional_text(record, "difficulty"), platform=optional_text(record, "platform")),
    }


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise BadInput("contest_date isn't a date", remedy="see that the file is LiveCodeBench's") from None


def _function(record: Record) -> str | None:
    """The function that tests call, by the row's metadata."""
    found = record.get("metadata") or {}
    try:
        found = json.loads(found) if isinstance(found, str) else found
    except ValueError:
        raise BadInput("metadata isn't JSON", remedy="bring the set's file again") from None
    name = found.get("func_name") if isinstance(found, dict) else None
    return str(name) if name else None


def _cases(record: Record, column: str) -> list[dict[str, Any]]:
    """A column's tests: a list, its JSON, or that packed as base64(zlib(pickle(text)))."""
    found = record.get(column) or []
    if isinstance(found, str):
        found = _json(found.strip(), column)
    if not isinstance(found, list) or not all(isinstance(case, dict) for case in found):
        raise BadInput(f"{column} isn't a list of tests", remedy="bring the set's file again")
    return found


def _json(text: str, column: str) -> Any:
    unpacked = text if text[:1] in ("[", "{") else _unpacked(text, column)
    try:
        return json.loads(unpacked)
    except (ValueError, RecursionError):
        raise BadInput(f"{column} isn't JSON", remedy="bring the set's file again") from None


def _unpacked(text: str, column: str) -> str:
    """Raises BadInput for what isn't packed so, and for what grows beyond `MOST_BYTES`."""
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(base64.b64decode(text, validate=True), MOST_BYTES)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise BadInput(
            f"{column} is neither JSON nor packed ({type(error).__name__})", remedy="bring the set's file again"
        ) from None
    if not inflate.eof or inflate.unused_data:
        why = f"unpacks to more than {MOST_BYTES >> 20} MiB" if inflate.unconsumed_tail else "is cut short"
        raise BadInput(f"{column} {why}", remedy="bring the set's file again")
    return read_text_pickle(content)
