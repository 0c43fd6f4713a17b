"""A prompt's tests of a program, as one form, from those that data sets have.

`test` says which: expression, call, stdin, check or asserts. Without it the published forms are understood:
`{"inputs", "outputs", "fn_name"}` (calls, or standard input where no function is named) and `{"unit_tests"}` (asserts).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from prism.errors import BadInput

_SECONDS = 2.0
_MEMORY = 512 * 1024 * 1024

Kind = Literal["expression", "call", "stdin", "check", "asserts"]
_NEEDS: dict[str, tuple[str, ...]] = {
    "expression": ("cases", "name"),
    "call": ("cases", "name"),
    "stdin": ("cases",),
    "check": ("source", "name"),
    "asserts": ("asserts",),
}


@dataclass(frozen=True)
class CodeTests:
    """How a program is judged.

    Args:
        cases: pairs of input and expected result (expression, call, stdin).
        name: the variable (expression) or the function (call, check).
        source: defines `check(candidate)` (check).
        asserts: statements, each of which has to run through (asserts).
        setup: source that stands before the program, and before `source` and `asserts` in the tests' own process.
        modulus: results are compared modulo it.
        wrapped: an expected result may stand in a list of its own, as some data sets have it.
        completes: `setup` begins the function, and a program may be the rest of it (check).
        apart: an execution for each case, so that the limits are a case's (call).
        seconds: CPU time of an execution; twice that on the clock.
        memory_bytes: address space of an execution.
    """

    kind: Kind
    cases: Sequence[Sequence[Any]] = ()
    name: str = ""
    source: str = ""
    asserts: Sequence[str] = ()
    setup: str = ""
    modulus: int | None = None
    wrapped: bool = False
    completes: bool = False
    apart: bool = False
    seconds: float = _SECONDS
    memory_bytes: int = _MEMORY


def read_tests(verifier: Mapping[str, Any], place: str) -> CodeTests:
    """The tests that a prompt's `verifier` gives.

    Raises:
        BadInput: something that this kind of test needs isn't there.
    """
    settings = _published(verifier)
    kind = settings.get("test")
    if kind not in _NEEDS:
        raise BadInput(f"code test {kind!r}", place=place, remedy=f"`test` is one of {', '.join(_NEEDS)}")
    tests = CodeTests(
        kind=kind,
        cases=settings.get("cases", ()),
        name=settings.get("variable" if kind == "expression" else "entry_point") or "",
        source=settings.get("source", ""),
        asserts=settings.get("asserts", ()),
        setup=settings.get("setup", ""),
        modulus=settings.get("modulus"),
        wrapped=settings.get("wrapped", False),
        completes=settings.get("completes", False),
        apart=settings.get("apart", False),
        seconds=settings.get("seconds", _SECONDS),
        memory_bytes=settings.get("memory_bytes", _MEMORY),
    )
    for need in _NEEDS[kind]:
        if not getattr(tests, need):
            raise BadInput(f"a code test of kind {kind} without {_key(kind, need)}", place=place, remedy="give it")
    return tests


def _key(kind: str, need: str) -> str:
    return need if need != "name" else "variable" if kind == "expression" else "entry_point"


def _published(verifier: Mapping[str, Any]) -> Mapping[str, Any]:
    if "test" in verifier:
        return verifier
    if "unit_tests" in verifier:
        found = verifier["unit_tests"]
        return {**verifier, "test": "asserts", "asserts": json.loads(found) if isinstance(found, str) else found}
    if "inputs" in verifier:
        pairs = zip(verifier["inputs"], verifier["outputs"], strict=True)
        if verifier.get("fn_name"):
            cases = [[given, expected] for given, expected in pairs]
            return {**verifier, "test": "call", "entry_point": verifier["fn_name"], "cases": cases, "wrapped": True}
        return {**verifier, "test": "stdin", "cases": [[_text(given), _text(expected)] for given, expected in pairs]}
    return verifier


def _text(lines: str | Sequence[Any]) -> str:
    return lines if isinstance(lines, str) else "\n".join(map(str, lines))
