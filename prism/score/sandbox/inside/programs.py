"""What a contained process does with its request, by the request's `role`.

expression  {"program", "name", "inputs"}: evaluates it for each input; answers as `call`
call        {"program", "name", "inputs"}: calls the function on each list of arguments; answers with a list that has
            the value's text for each input, null where the program failed
script      {"program"}: runs it; the answer is what it prints
functions   {"program"}: runs it, then answers calls from WRITE's other end until that is closed
tests       {"program", "entry_point", "test"} or {"program", "entry_point", "asserts"}: see `inside.trial`

The request is JSON; inputs and values are `values` texts.
"""

import atexit
import contextlib
import json
import os
import random
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from . import trial, values

REQUEST, ANSWER, READ, WRITE = 3, 4, 5, 6
_CHUNK = 1 << 20


def run() -> int:
    """Does what the request asks for; the exit code."""
    request = json.loads(_read_request())
    random.seed(0)
    sys.argv = ["program.py"]
    script = request["role"] == "script"
    if script:
        os.dup2(READ, 0)
        os.dup2(ANSWER, 1)
        os.closerange(ANSWER, WRITE + 1)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if script:
        _script(request["program"])
    else:
        _ROLES[request["role"]](request)
    return 0


def _read_request() -> bytes:
    """From its start, wherever an earlier reader of the same file has left off."""
    parts = []
    size = 0
    while part := os.pread(REQUEST, _CHUNK, size):
        parts.append(part)
        size += len(part)
    os.close(REQUEST)
    return b"".join(parts)


def _script(program: str) -> None:
    """As Python itself would: threads are waited for, and exit handlers run.

    A program that leaves by itself has ended well, unless it says otherwise.
    """
    try:
        _space(program, "__main__")
    except SystemExit as end:
        if end.code not in (None, 0):
            raise
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()


def _expression(request: dict[str, Any]) -> None:
    code = compile(request["program"], "program.py", "eval")
    inputs = values.loads(request["inputs"])
    _answer([_attempt(eval, code, {"__builtins__": {}}, {request["name"]: value}) for value in inputs])


def _call(request: dict[str, Any]) -> None:
    space = _space(request["program"])
    inputs = values.loads(request["inputs"])
    _answer([_attempt(_result, space, request["name"], arguments) for arguments in inputs])


def _attempt(function: Callable[..., Any], *arguments: Any) -> str | None:
    try:
        return values.dumps(function(*arguments))
    except Exception:
        return None


def _answer(answer: Any) -> None:
    text = json.dumps(answer).encode()
    while text:
        text = text[os.write(ANSWER, text) :]


def _space(program: str, name: str = "program") -> dict[str, Any]:
    """The global names that the program leaves.

    Functions to be called aren't asked for under the name `__main__`: such a block would read standard input.
    """
    module = ModuleType(name)
    sys.modules[name] = module  # where dataclasses look for it
    exec(compile(program, "program.py", "exec"), vars(module))
    return vars(module)


def _result(space: dict[str, Any], name: str, arguments: list[Any], named: dict[str, Any] | None = None) -> Any:
    """The result of a global function, or of a method of a class `Solution`, as some tasks want it."""
    function = getattr(space["Solution"](), name) if name not in space and "Solution" in space else space[name]
    return function(*arguments, **(named or {}))


def _functions(request: dict[str, Any]) -> None:
    space = _space(request["program"])
    with open(READ, "rb") as calls, open(WRITE, "wb", buffering=0) as replies:
        for line in calls:
            replies.write(_reply(space, line).encode() + b"\n")


def _reply(space: dict[str, Any], line: bytes) -> str:
    """`{"value": ...}`, or `{"error": [names of the exception's classes], "arguments": ...}`."""
    try:
        name, arguments, named = values.loads(line)
        return json.dumps({"value": values.dumps(_result(space, name, arguments, named))})
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
        texts = values.dumps([])
        with contextlib.suppress(Exception):
            texts = values.dumps(list(error.args))
        return json.dumps({"error": kinds, "arguments": texts})


def _tests(request: dict[str, Any]) -> None:
    _answer(trial.passes(request, READ, WRITE))


_ROLES = {"expression": _expression, "call": _call, "functions": _functions, "tests": _tests}
