"""Code: the answer is run, and its results are compared here, in the parent, on plain values.

A row's verifier says how: `{"kind": "code", "test": "expression" | "call" | "stdin", "cases": [[input, expected]]}`
with `variable` (expression), `entry_point` (call; inputs are argument lists), `modulus` (results compared modulo it),
`seconds` and `memory_bytes`.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from prism.score.verdict import PromptRow

_SECONDS = 2.0
_MEMORY = 512 * 1024 * 1024
_FENCE = re.compile(r"```(?:python|py)?\n(.*?)```", re.DOTALL)


def verify_code(rows: Sequence[PromptRow], answers: Sequence[str]) -> list[bool]:
    """Right when every case's result is the expected one."""
    return [_passes(row["verifier"], answer) for row, answer in zip(rows, answers, strict=True)]


def _passes(settings: Any, answer: str) -> bool:
    kind = settings["test"]
    fenced = _FENCE.findall(answer)
    program = (fenced[-1] if fenced else answer).strip()
    name = settings.get("entry_point") or settings.get("variable") or ""
    inputs = tuple(json.dumps(case[0]) for case in settings["cases"])
    results = _run(
        program, kind, name, inputs, settings.get("seconds", _SECONDS), settings.get("memory_bytes", _MEMORY)
    )
    return all(
        _equal(result, expected, settings.get("modulus"), kind)
        for result, (_, expected) in zip(results, settings["cases"], strict=True)
    )


def _equal(result: Any, expected: Any, modulus: int | None, kind: str) -> bool:
    if result is None:
        return False
    if modulus is not None:
        return type(result) is int and result % modulus == expected % modulus
    if kind == "stdin":
        return bool(str(result).split() == str(expected).split())
    return bool(result == expected) and isinstance(result, bool) == isinstance(expected, bool)


@lru_cache(maxsize=65_536)
def _run(
    program: str, kind: str, name: str, inputs: tuple[str, ...], seconds: float, memory_bytes: int
) -> tuple[Any, ...]:
    """Results by input; a program's results depend on its text and inputs alone, so they are remembered."""
    request = {
        "program": program,
        "kind": kind,
        "name": name,
        "inputs": [json.loads(value) for value in inputs],
        "seconds": seconds,
        "memory_bytes": memory_bytes,
    }
    return tuple(_server().ask(request))


class _ForkServer:
    """The child process of `code_child.py`; started at the first program, and again should it die."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = self._start()
        atexit.register(self.close)

    def ask(self, request: dict[str, Any]) -> list[Any]:
        with self._lock:
            for _ in range(2):
                with contextlib.suppress(BrokenPipeError):
                    assert self._process.stdin is not None and self._process.stdout is not None
                    self._process.stdin.write(json.dumps(request) + "\n")
                    self._process.stdin.flush()
                    line = self._process.stdout.readline()
                    if line:
                        return list(json.loads(line))
                self.close()
                self._process = self._start()
        return [None] * len(request["inputs"])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    @staticmethod
    def _start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("code_child.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            text=True,
        )


@lru_cache(maxsize=1)
def _server() -> _ForkServer:
    return _ForkServer()
