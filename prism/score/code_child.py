"""Runs model-written programs: a fork server, started as `python -P -s -S code_child.py` with an empty environment.

Reads one JSON request a line from standard input, answers one JSON line each. A request is

    {"program": str, "kind": "expression" | "call" | "stdin", "name": str, "inputs": [...],
     "seconds": float, "memory_bytes": int}

and the answer {"results": [...]}, for each input `[value]` or null where the program failed, or {"refused": reason}
where the limits can't be set. Expected results are never sent here.

Contained: each execution is a fork of its own with limits on CPU time (`seconds`), wall-clock time (twice that),
memory, and on new processes, threads and file contents (none); without this server's file descriptors, in an empty
folder of its own, as nobody where the server runs as root. A program of kind stdin is forked for every input.

NOT contained: the file system can be read, and written where that user may create or remove files, the network can
be reached, and an ordinary user's other processes can be signalled. Run programs of unknown origin only where
namespaces and system-call filters surround the whole job.
"""

import builtins
import contextlib
import gc
import importlib
import json
import math
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, NoReturn

_SAFE = (type(None), bool, int, float, str)
_NOBODY = 65_534
_MOST_BYTES = 1 << 20
_WARM = "bisect collections copy dataclasses datetime decimal fractions functools heapq io itertools operator re string"
"""Imported once, so that the forks don't."""


def main() -> None:
    for name in _WARM.split():
        importlib.import_module(name)
    gc.freeze()  # so that collections in the forks don't copy what they share
    vars(builtins).update(exit=sys.exit, quit=sys.exit)
    os.environ.clear()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(serve(json.loads(line))), flush=True)


def serve(request: dict[str, Any]) -> dict[str, Any]:
    """Runs the program; stops at the first input of kind stdin that fails, as the verdict is decided then."""
    inputs = request["inputs"]
    try:
        if request["kind"] != "stdin":
            output = execute(request, inputs, b"")
            return {"results": results(output, len(inputs))}
        found: list[Any] = [None] * len(inputs)
        for index, value in enumerate(inputs):
            output = execute(request, [], value.encode())
            if output is None:
                break
            found[index] = [output.decode(errors="replace")]
        return {"results": found}
    except PermissionError as error:
        return {"refused": str(error)}


def results(output: bytes | None, count: int) -> list[Any]:
    """The program's process wrote this, so it is checked like any foreign text."""
    try:
        found = json.loads(output or b"")
    except (ValueError, RecursionError):
        return [None] * count
    return found if isinstance(found, list) and len(found) == count else [None] * count


def execute(request: dict[str, Any], inputs: list[Any], text: bytes) -> bytes | None:
    """What one process writes before it leaves with status 0, else None.

    Raises PermissionError when the limits can't be set.
    """
    folder = tempfile.mkdtemp(prefix="program-")
    source = os.memfd_create("input")
    os.write(source, text)
    os.lseek(source, 0, os.SEEK_SET)
    state_reader, state_writer = os.pipe()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.close(state_reader)
        run(request, inputs, folder, source, writer, state_writer)
    for descriptor in (source, writer, state_writer):
        os.close(descriptor)
    try:
        refused = os.read(state_reader, 1_000).decode()
        deadline = time.monotonic() + 2 * request["seconds"]
        output = collect(reader, deadline)
        status = leave(child, deadline if output is not None else 0.0)
    finally:
        os.close(reader)
        os.close(state_reader)
        shutil.rmtree(folder, ignore_errors=True)
    if refused:
        raise PermissionError(refused)
    return output if status == 0 else None


def collect(reader: int, deadline: float) -> bytes | None:
    """What is written until all ends are closed; None past the deadline or the limit."""
    parts: list[bytes] = []
    size = 0
    while size <= _MOST_BYTES:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            return None
        part = os.read(reader, 65_536)
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
    return None


def leave(child: int, deadline: float) -> int:
    """The exit status; a process that is still there at the deadline is killed."""
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.0003)
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def run(request: dict[str, Any], inputs: list[Any], folder: str, source: int, writer: int, state: int) -> NoReturn:
    """In the child: takes limits, runs the program, leaves. Never returns."""
    try:
        try:
            os.setpgid(0, 0)
            limit(request, folder)
            silent = os.open(os.devnull, os.O_RDWR)
            os.dup2(source, 0)
            os.dup2(writer if request["kind"] == "stdin" else silent, 1)
            os.dup2(silent, 2)
        except BaseException as error:
            os.write(state, f"{type(error).__name__}: {error}".encode()[:500])
            raise
        os.close(state)
        os.closerange(3, writer)
        os.closerange(writer + 1, 64)
        random.seed(0)
        sys.argv = ["program.py"]
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = sys.stderr = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        if request["kind"] == "stdin":
            os.close(writer)
            script(request["program"])
            sys.stdout.flush()
        else:
            answer = json.dumps(outcomes(request, inputs)).encode()
            while answer:
                answer = answer[os.write(writer, answer) :]
    except BaseException:
        os._exit(1)
    os._exit(0)


def limit(request: dict[str, Any], folder: str) -> None:
    seconds = max(1, math.ceil(request["seconds"]))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (request["memory_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if os.getuid() == 0:  # the number of processes is not limited for root
        os.chown(folder, _NOBODY, _NOBODY)
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    os.chdir(folder)


def script(program: str) -> None:
    """A program that leaves by itself has ended well, unless it says otherwise."""
    try:
        exec(compile(program, "program.py", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        if end.code not in (None, 0):
            raise


def outcomes(request: dict[str, Any], inputs: list[Any]) -> list[Any]:
    """`[value]` an input, null where the program fails on it."""
    program = request["program"]
    if request["kind"] == "expression":
        code = compile(program, "program.py", "eval")
        return [attempt(eval, code, {"__builtins__": {}}, {request["name"]: value}) for value in inputs]
    space: dict[str, Any] = {"__name__": "program"}
    exec(compile(program, "program.py", "exec"), space)
    return [attempt(space[request["name"]], *value) for value in inputs]


def attempt(function: Callable[..., Any], *arguments: Any) -> list[Any] | None:
    try:
        return [plain(function(*arguments))]
    except Exception:
        return None


def plain(value: Any) -> Any:
    """Only exact built-in types pass, so that no object of the program's own making is compared later."""
    if type(value) in _SAFE:
        return value
    if type(value) in (list, tuple):
        return [plain(part) for part in value]
    if type(value) is dict and all(type(key) is str for key in value):
        return {key: plain(part) for key, part in value.items()}
    raise TypeError(f"a {type(value).__name__} isn't a plain value")


if __name__ == "__main__":
    main()
