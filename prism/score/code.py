"""Code: the answer is run in the sandbox, and judged by what a process that it can't reach makes of its results.

A row's verifier says how: `{"kind": "code", "test": ..., ...}`.

expression  `cases: [[value, expected]]` and `variable`: the answer's value for each value of the variable
call        `cases: [[arguments, expected]]` and `entry_point`: the function's result for each list of arguments
stdin       `cases: [[input, expected]]`: what the program prints
check       `source`, which defines `check(candidate)`, and `entry_point`
asserts     `asserts`, a list of statements about the program's functions (what `setup` defines isn't one of them, but
            for `entry_point`, which need not be given)

Further `setup` (source before the answer), `completes` (with check: `setup` begins the function, and an answer that
doesn't define it is its rest), `modulus` (results compared modulo it), `seconds` (CPU time of an execution; twice that
on the clock), `apart` (with call: an execution for each case) and `memory_bytes`. See prism.score.code_tests for forms
of published data sets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from data_prep.files import fingerprint
from prism.errors import PrismError
from prism.score import sandbox
from prism.score.code_compare import equal_modulo, equal_text, equal_values
from prism.score.code_tests import CodeTests, read_tests
from prism.score.sandbox.arithmetic import NotArithmetic, evaluate
from prism.score.sandbox.inside import values
from prism.score.verdict import PromptRow

_FENCE = re.compile(r"```(?:[Pp]y(?:thon)?3?)?[ \t]*\r?\n(.*?)```", re.DOTALL)
_REMEMBERED = 65_536

Job = Callable[[sandbox.ForkServer], bool]


def verify_code(rows: Sequence[PromptRow], answers: Sequence[str]) -> list[bool]:
    """Right when every test passes. The programs run side by side; equal ones run once.

    Raises:
        BadInput: a row's tests aren't whole.
        PrismError: programs can't be contained here.
    """
    known: dict[int, tuple[CodeTests, str]] = {}
    for row in rows:
        if id(row["verifier"]) not in known:
            tests = read_tests(row["verifier"], f"prompt {row.get('id', row.get('prompt', '?'))}")
            known[id(row["verifier"])] = tests, fingerprint(dict(row["verifier"]))
    found = [known[id(row["verifier"])] for row in rows]
    programs = [_program(answer) for answer in answers]
    keys = [fingerprint([key, program]) for (_, key), program in zip(found, programs, strict=True)]
    remembered = _remembered()
    verdicts = {key: remembered[key] for key in keys if key in remembered}
    jobs: dict[str, Job] = {}
    for key, (tests, _), program in zip(keys, found, programs, strict=True):
        if key not in verdicts and key not in jobs:
            verdict = _without_sandbox(tests, program)
            if verdict is None:
                jobs[key] = _job(tests, program)
            else:
                verdicts[key] = verdict
    verdicts.update(zip(jobs, _run(list(jobs.values())), strict=True))
    remembered.update(verdicts)
    while len(remembered) > _REMEMBERED:
        remembered.pop(next(iter(remembered)), None)
    return [verdicts[key] for key in keys]


def _program(answer: str) -> str:
    """The last fenced block, or all."""
    fenced = _FENCE.findall(answer)
    return (fenced[-1] if fenced else answer).strip()


def _run(jobs: Sequence[Job]) -> list[bool]:
    """A program whose fork server dies, twice, is wrong."""
    if not jobs:
        return []
    try:
        return [bool(verdict) for verdict in sandbox.pool().run_all(jobs)]
    except sandbox.Refused as error:
        raise PrismError(
            f"programs can't be contained any more ({error})",
            place="the sandbox",
            remedy="see whether this machine's limits on processes or namespaces are used up",
        ) from None


def _without_sandbox(tests: CodeTests, program: str) -> bool | None:
    """The verdict on an expression in which nothing could be run."""
    if tests.kind != "expression" or tests.setup:
        return None
    try:
        results = evaluate(program, tests.name, [case[0] for case in tests.cases])
    except NotArithmetic:
        return None
    return all(
        result is not None and _same(result, expected, tests)
        for result, (_, expected) in zip(results, tests.cases, strict=True)
    )


def _job(tests: CodeTests, program: str) -> Job:
    source = _source(tests, program)
    if tests.kind == "stdin":
        return lambda server: _prints(server, tests, source)
    if tests.kind in ("check", "asserts"):
        return lambda server: _passes(server, tests, source)
    return lambda server: _returns(server, tests, source)


def _source(tests: CodeTests, program: str) -> str:
    """The program after `setup`, or as the body that this begins."""
    if not tests.setup:
        return program
    if not tests.completes or re.search(rf"^[ \t]*(?:async\s+)?def\s+{re.escape(tests.name)}\b", program, re.MULTILINE):
        return f"{tests.setup}\n\n{program}"
    # The blanks before a response's first line are gone: they are how it is spaced, not what it says.
    return f"{tests.setup.rstrip()}\n    {program.lstrip()}"


def _returns(server: sandbox.ForkServer, tests: CodeTests, program: str) -> bool:
    """One execution for all cases, or one each, up to the first that is wrong."""
    parts = [[case] for case in tests.cases] if tests.apart else [tests.cases]
    return all(_returns_all(server, tests, program, cases) for cases in parts)


def _returns_all(server: sandbox.ForkServer, tests: CodeTests, program: str, cases: Sequence[Sequence[Any]]) -> bool:
    inputs = values.dumps([case[0] for case in cases])
    request = {"role": tests.kind, "program": program, "name": tests.name, "inputs": inputs}
    answer = _answer(server.run(request, tests.seconds, tests.memory_bytes))
    if not isinstance(answer, list) or len(answer) != len(cases):
        return False
    try:
        return all(
            isinstance(text, str) and _same(values.loads(text), expected, tests)
            for text, (_, expected) in zip(answer, cases, strict=True)
        )
    except (ValueError, RecursionError):
        return False


def _prints(server: sandbox.ForkServer, tests: CodeTests, program: str) -> bool:
    """An execution a case, up to the first that is wrong."""
    request = {"role": "script", "program": program}
    for text, expected in tests.cases:
        outcome = server.run(request, tests.seconds, tests.memory_bytes, str(text).encode(errors="replace"))
        if outcome.codes != (0,) or outcome.output is None:
            return False
        if not _same(outcome.output.decode(errors="replace"), expected, tests):
            return False
    return True


def _passes(server: sandbox.ForkServer, tests: CodeTests, program: str) -> bool:
    """The tests run in a process of their own, which asks the program's for results."""
    request: dict[str, Any] = {"role": "tests", "program": tests.setup, "entry_point": tests.name}
    request |= {"test": tests.source} if tests.kind == "check" else {"asserts": list(tests.asserts)}
    outcome = server.run_pair(request, {"role": "functions", "program": program}, tests.seconds, tests.memory_bytes)
    return _answer(outcome) is True


def _answer(outcome: sandbox.Outcome) -> Any:
    """The JSON that the first process answered; None unless it ended well."""
    try:
        return json.loads(outcome.output or b"") if outcome.codes[0] == 0 else None
    except (ValueError, RecursionError):
        return None


def _same(result: Any, expected: Any, tests: CodeTests) -> bool:
    if tests.kind == "stdin":
        return equal_text(result, str(expected))
    if tests.modulus is not None:
        return equal_modulo(result, expected, tests.modulus)
    if tests.wrapped and isinstance(expected, list) and len(expected) == 1 and equal_values(result, expected[0]):
        return True
    return equal_values(result, expected)


@lru_cache(maxsize=1)
def _remembered() -> dict[str, bool]:
    """Verdicts by program and tests: a program is judged once."""
    return {}
