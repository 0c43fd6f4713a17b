"""Tests of programs: one form for the verifier, out of those in which the sets publish them.

| published as | in | becomes |
|---|---|---|
| {inputs, outputs} | TACO, PrimeIntellect, Skywork | `stdin`, or `call` where there is an fn_name |
| a list of {input, output, testtype} | DeepCoder | `stdin`, or `call` where testtype is functional |
| {test_code, entry_point, import_prefix} | Skywork (LeetCode) | `check` with source |
| {assert_case}, or a list of assertions | Skywork, OpenCodeInstruct | `asserts` |

Any of them may be text in JSON, once or twice.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data_prep.prompts.reasons import NoPrompt

_DECODED_AT_MOST = 3


@dataclass(frozen=True)
class Limits:
    """What of a prompt's tests is kept: so many, of so many bytes of JSON together."""

    tests: int
    bytes: int


ALL_TESTS = Limits(sys.maxsize, sys.maxsize)


@dataclass(frozen=True)
class CodeTests:
    """The settings of a code verifier, and how many of the published tests it leaves out."""

    verifier: dict[str, Any]
    left_out: int


def code_tests(found: Any, entry_point: str | None, limits: Limits) -> CodeTests:
    """The verifier of a row's tests.

    Args:
        found: the tests, as text or values.
        entry_point: the function that they call, where the tests don't say it themselves.

    Raises:
        NoPrompt: there is no test, or none that can be run.
    """
    tests = _decoded(found)
    if isinstance(tests, Mapping):
        tests = {key: value for key, value in tests.items() if value is not None}
        if "test_cases" in tests:
            return code_tests(tests["test_cases"], entry_point, limits)
        if "test_code" in tests:
            return _checked_by_source(tests, limits)
        if "assert_case" in tests:
            return _asserted(tests["assert_case"], limits)
        if "inputs" in tests and "outputs" in tests:
            return _paired(tests, entry_point, limits)
        raise NoPrompt(f"tests of an unknown form ({', '.join(sorted(tests)) or 'nothing'})"[:100])
    if isinstance(tests, list):
        if tests and all(isinstance(one, str) for one in tests):
            return _asserted(tests, limits)
        if tests and all(isinstance(one, Mapping) for one in tests):
            return _listed(tests, entry_point, limits)
    if not tests:
        raise NoPrompt("no tests")
    raise NoPrompt("tests of an unknown form")


def _decoded(found: Any) -> Any:
    for _ in range(_DECODED_AT_MOST):
        if not isinstance(found, str):
            return found
        try:
            found = json.loads(found)
        except json.JSONDecodeError:
            raise NoPrompt("tests that aren't JSON") from None
    return found


def _paired(tests: Mapping[str, Any], entry_point: str | None, limits: Limits) -> CodeTests:
    inputs, outputs = _decoded(tests["inputs"]), _decoded(tests["outputs"])
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise NoPrompt("inputs without their outputs")
    name = tests.get("fn_name") or entry_point
    if name:
        if not all(isinstance(one, list) for one in inputs):
            raise NoPrompt("calls whose arguments are no list")
        called = _cases("call", list(zip(inputs, outputs, strict=True)), str(name), limits)
        # these sets put a result into a list of its own, or not
        return CodeTests({**called.verifier, "wrapped": True}, called.left_out)
    cases = [(_lines(given), _lines(expected)) for given, expected in zip(inputs, outputs, strict=True)]
    return _cases("stdin", cases, None, limits)


def _listed(tests: Sequence[Mapping[str, Any]], entry_point: str | None, limits: Limits) -> CodeTests:
    kinds = {"call" if test.get("testtype") == "functional" else "stdin" for test in tests}
    if len(kinds) > 1:
        raise NoPrompt("tests of two kinds")
    if any("input" not in test or "output" not in test for test in tests):
        raise NoPrompt("inputs without their outputs")
    if kinds == {"stdin"}:
        return _cases("stdin", [(_lines(test["input"]), _lines(test["output"])) for test in tests], None, limits)
    if not entry_point:
        raise NoPrompt("calls of a function without a name")
    return _cases("call", [(_arguments(test["input"]), _value(test["output"])) for test in tests], entry_point, limits)


def _checked_by_source(tests: Mapping[str, Any], limits: Limits) -> CodeTests:
    source, name = tests["test_code"], tests.get("entry_point")
    if not isinstance(source, str) or not source.strip() or not isinstance(name, str) or not name.strip():
        raise NoPrompt("test code without an entry point")
    if len(source) > limits.bytes:
        raise NoPrompt("tests too long")
    verifier = {"kind": "code", "test": "check", "source": source, "entry_point": name.strip()}
    prefix = tests.get("import_prefix")
    if isinstance(prefix, str) and prefix.strip():
        verifier["setup"] = prefix
    return CodeTests(verifier, 0)


def _asserted(found: Any, limits: Limits) -> CodeTests:
    asserts = [found] if isinstance(found, str) else found
    if not isinstance(asserts, list):
        raise NoPrompt("tests of an unknown form")
    asserts = [one.strip() for one in asserts if isinstance(one, str) and "assert" in one]
    kept = _kept([(one, len(one)) for one in asserts], limits)
    return CodeTests({"kind": "code", "test": "asserts", "asserts": kept}, len(asserts) - len(kept))


def _cases(kind: str, cases: list[tuple[Any, Any]], entry_point: str | None, limits: Limits) -> CodeTests:
    sized = [([given, expected], len(json.dumps([given, expected]))) for given, expected in cases]
    kept = _kept(sized, limits)
    verifier: dict[str, Any] = {"kind": "code", "test": kind, "cases": kept}
    if entry_point is not None:
        verifier["entry_point"] = entry_point
    return CodeTests(verifier, len(cases) - len(kept))


def _kept(sized: Sequence[tuple[Any, int]], limits: Limits) -> list[Any]:
    """The longest tests within the limits, in the order in which they are published: a program that passes long ones
    rarely fails a short one, and not the other way round."""
    if not sized:
        raise NoPrompt("no tests")
    left = limits.bytes
    chosen: list[int] = []
    for place in sorted(range(len(sized)), key=lambda place: (-sized[place][1], place)):
        if len(chosen) == limits.tests:
            break
        if sized[place][1] <= left:
            chosen.append(place)
            left -= sized[place][1]
    if not chosen:
        raise NoPrompt("tests too long")
    return [sized[place][0] for place in sorted(chosen)]


def _lines(found: Any) -> str:
    """Standard input or output: text, or a list of its lines."""
    if isinstance(found, str):
        return found
    if isinstance(found, list):
        return "\n".join(one if isinstance(one, str) else json.dumps(one) for one in found)
    return json.dumps(found)


def _arguments(found: Any) -> list[Any]:
    """A JSON value a line for each argument, or the list of them."""
    if isinstance(found, list):
        return found
    try:
        return [json.loads(line) for line in str(found).splitlines() if line.strip()]
    except json.JSONDecodeError:
        raise NoPrompt("arguments that aren't JSON") from None


def _value(found: Any) -> Any:
    if not isinstance(found, str):
        return found
    try:
        return json.loads(found)
    except json.JSONDecodeError:
        raise NoPrompt("results that aren't JSON") from None
