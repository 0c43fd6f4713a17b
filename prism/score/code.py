"""Code: the answer is run, and its results are compared here, in the parent, on plain values.

A row's verifier says how: `{"kind": "code", "test": "expression" | "call" | "stdin", "cases": [[input, expected]]}`
with `variable` (expression), `entry_point` (call; inputs are argument lists), `modulus` (results compared modulo it),
`seconds` (CPU time of an execution; twice that on the clock) and `memory_bytes`. What contains the program, and what
doesn't: prism.score.code_child.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from data_prep.files import fingerprint
from prism.errors import PrismError
from prism.score.verdict import PromptRow
from prism.score.workers import WorkerPool

_SECONDS = 2.0
_MEMORY = 512 * 1024 * 1024
_FENCE = re.compile(r"```(?:python|py)?\n(.*?)```", re.DOTALL)
_REMEMBERED = 65_536


def verify_code(rows: Sequence[PromptRow], answers: Sequence[str]) -> list[bool]:
    """Right when every case's result is the expected one. The programs run side by side; equal ones run once.

    Raises:
        PrismError: programs can't be run here, or not with limits.
    """
    requests = [_request(row["verifier"], answer) for row, answer in zip(rows, answers, strict=True)]
    keys = [
        fingerprint([request, row["verifier"]["cases"], row["verifier"].get("modulus")])
        for request, row in zip(requests, rows, strict=True)
    ]
    remembered = _remembered()
    new = {key: index for index, key in enumerate(keys) if key not in remembered}
    replies = _pool().ask_all(
        [requests[index] for index in new.values()], [_patience(requests[i]) for i in new.values()]
    )
    for (key, index), reply in zip(new.items(), replies, strict=True):
        remembered[key] = _right(reply, rows[index]["verifier"])
    verdicts = [remembered[key] for key in keys]
    while len(remembered) > _REMEMBERED:
        del remembered[next(iter(remembered))]
    return verdicts


def _request(settings: Mapping[str, Any], answer: str) -> dict[str, Any]:
    fenced = _FENCE.findall(answer)
    return {
        "program": (fenced[-1] if fenced else answer).strip(),
        "kind": settings["test"],
        "name": settings.get("entry_point") or settings.get("variable") or "",
        "inputs": [case[0] for case in settings["cases"]],
        "seconds": settings.get("seconds", _SECONDS),
        "memory_bytes": settings.get("memory_bytes", _MEMORY),
    }


def _patience(request: Mapping[str, Any]) -> float:
    """Seconds before the fork server itself counts as hung: it ends each execution at twice its `seconds`."""
    executions = len(request["inputs"]) if request["kind"] == "stdin" else 1
    return float(2 * request["seconds"] * executions + 10)


def _right(reply: Any, settings: Mapping[str, Any]) -> bool:
    if not isinstance(reply, dict):
        return False
    if "refused" in reply:
        raise PrismError(
            f"programs can't be run with limits here ({reply['refused']})",
            place="the code verifier",
            remedy="run as an ordinary user, or as root with the right to change user",
        )
    return all(
        isinstance(result, list) and len(result) == 1 and _same(result[0], expected, settings)
        for result, (_, expected) in zip(reply["results"], settings["cases"], strict=True)
    )


def _same(result: Any, expected: Any, settings: Mapping[str, Any]) -> bool:
    modulus = settings.get("modulus")
    if modulus is not None:
        return type(result) is int and result % modulus == expected % modulus
    if settings["test"] == "stdin":
        return bool(str(result).split() == str(expected).split())
    return equal_values(result, expected)


def equal_values(result: Any, expected: Any) -> bool:
    """Equality of JSON values: true isn't 1; floats agree to six digits."""
    if isinstance(result, bool) or isinstance(expected, bool):
        return result is expected
    if isinstance(result, list) and isinstance(expected, list):
        return len(result) == len(expected) and all(map(equal_values, result, expected))
    if isinstance(result, dict) and isinstance(expected, dict):
        return result.keys() == expected.keys() and all(equal_values(result[key], expected[key]) for key in expected)
    if isinstance(result, int | float) and isinstance(expected, int | float):
        if isinstance(result, int) and isinstance(expected, int):
            return result == expected
        try:
            return math.isclose(result, expected, rel_tol=1e-6, abs_tol=1e-9)
        except OverflowError:
            return False
    return type(result) is type(expected) and bool(result == expected)


@lru_cache(maxsize=1)
def _remembered() -> dict[str, bool]:
    """Verdicts by program and cases: a program is judged once."""
    return {}


@lru_cache(maxsize=1)
def _pool() -> WorkerPool:
    return WorkerPool(
        # -I would also ignore the hash seed, and a program's results would follow the order of its sets.
        [sys.executable, "-P", "-s", "-S", str(Path(__file__).with_name("code_child.py"))],
        environment={"PYTHONHASHSEED": "0"},
        remedy="check that this Python starts and that processes may be forked",
    )
