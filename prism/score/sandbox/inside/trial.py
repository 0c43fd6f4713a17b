"""Tests written as Python (`check(candidate)`, or assert statements) of a program that runs in another process.

The tests' process has stand-ins for the program's functions. A stand-in sends its arguments, as plain values, to the
program's process, and gives back a plain value or raises a built-in exception. So the program never sees what the tests
expect, and no object of its making takes part in a comparison.

Arguments are copies: what a function does to them isn't seen here. Functions and other objects can't be arguments.
"""

import ast
import builtins
import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from . import values

_ENDINGS = (StopIteration, StopAsyncIteration)
"""Raised within map() or next(), they would end a loop over the cases as if all had been right."""


class Gone(BaseException):
    """No more answers from the program's process, or a question that can't be asked. Not for the tests to catch."""


class Link:
    """Both ends of the talk with the program's process."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO) -> None:
        self._reader, self._writer = reader, writer
        self.broken = False

    def stand_in(self, name: str) -> Callable[..., Any]:
        """For the program's function of that name."""

        def function(*arguments: Any, **named: Any) -> Any:
            return self._ask([name, list(arguments), named])

        function.__name__ = name
        return function

    def _ask(self, call: list[Any]) -> Any:
        try:
            self._writer.write(values.dumps(call).encode() + b"\n")
            reply = json.loads(self._reader.readline())
            if "value" in reply:
                return values.loads(reply["value"])
            error = _exception(reply["error"], values.loads(reply["arguments"]))
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            self.broken = True
            raise Gone from None
        raise error


def passes(request: dict[str, Any], reader: int, writer: int) -> bool:
    """Whether the tests run to their end. `program` is the tests' own: helpers that they call, imports."""
    with open(reader, "rb") as replies, open(writer, "wb", buffering=0) as calls:
        link = Link(replies, calls)
        try:
            _run(request, link)
        except BaseException:
            return False
        return not link.broken


def _run(request: dict[str, Any], link: Link) -> None:
    space: dict[str, Any] = {"__name__": "tests"}
    exec(compile(request["program"], "setup.py", "exec"), space)
    if request["entry_point"]:
        space[request["entry_point"]] = link.stand_in(request["entry_point"])
    if "asserts" in request:
        for source in request["asserts"]:
            tree = ast.parse(source)
            found = {name: link.stand_in(name) for name in _free_names(tree) if name not in space}
            exec(compile(tree, "test.py", "exec"), {**space, **found})
    else:
        entry = space[request["entry_point"]]
        exec(compile(request["test"], "test.py", "exec"), space)
        space["check"](entry)


def _free_names(tree: ast.AST) -> Iterator[str]:
    """What the statements use, don't define, and Python doesn't have: the program's functions."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    made = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            made |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            made.add(node.name)
        elif isinstance(node, ast.arg):
            made.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            made.add(node.name)
    yield from {node.id for node in names} - made - set(vars(builtins))


def _exception(kinds: list[str], arguments: list[Any]) -> Exception:
    """The nearest built-in kind of exception that may be raised here."""
    for name in kinds:
        kind = getattr(builtins, name, None)
        if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, _ENDINGS):
            try:
                return kind(*arguments)
            except TypeError:
                return RuntimeError(name)
    return RuntimeError("the program raised an exception")
