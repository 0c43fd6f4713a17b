"""Runs model-written programs: a fork server, started as `python -I -S code_child.py`.

Reads one JSON request a line from standard input, answers one JSON line each. A request is

    {"program": str, "kind": "expression" | "call" | "stdin", "name": str, "inputs": [...],
     "seconds": float, "memory_bytes": int}

and the answer a list with, for each input, the plain result or null. Expected results are never sent here. Every
request runs in a fork of its own: limited in CPU time, memory, processes and file size, without this server's
file descriptors, in an empty folder. It does NOT hide the file system or the network: that is the full sandbox's
work, and until it is there only programs of a trusted origin should be run.
"""

import contextlib
import io
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any

_SAFE = (type(None), bool, int, float, str)


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        sys.stdout.write(json.dumps(serve(request)) + "\n")
        sys.stdout.flush()


def serve(request: dict[str, Any]) -> list[Any]:
    """Forks, waits no longer than the limit, and kills what is left."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        run(request, writer)
    os.close(writer)
    text = collect(reader, request["seconds"])
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    nothing = [None] * len(request["inputs"])
    try:
        results = json.loads(text)
    except ValueError:
        return nothing
    return results if isinstance(results, list) and len(results) == len(nothing) else nothing


def collect(reader: int, seconds: float) -> bytes:
    """What the child writes until it closes its end or its time is over; at most 1 MiB."""
    deadline = time.monotonic() + seconds
    parts, size = [], 0
    while size < 1 << 20:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            break
        part = os.read(reader, 65_536)
        if not part:
            break
        parts.append(part)
        size += len(part)
    os.close(reader)
    return b"".join(parts)


def run(request: dict[str, Any], writer: int) -> None:
    """In the child: takes limits, runs the program, writes plain results, never returns."""
    try:
        os.setpgid(0, 0)
        limit(request)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        results = [plain(outcome(request, value)) for value in request["inputs"]]
        os.write(writer, json.dumps(results).encode())
    finally:
        os._exit(0)


def limit(request: dict[str, Any]) -> None:
    seconds = int(request["seconds"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (request["memory_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if os.getuid() == 0:  # the number of processes is not limited for root
        os.setgroups([])
        os.setgid(65_534)
        os.setuid(65_534)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def outcome(request: dict[str, Any], value: Any) -> Any:
    """One input's result; None when the program fails on it."""
    try:
        if request["kind"] == "expression":
            return eval(request["program"], {"__builtins__": {}}, {request["name"]: value})
        space: dict[str, Any] = {"__name__": "__main__"}
        if request["kind"] == "call":
            exec(request["program"], space)
            return space[request["name"]](*value)
        sys.stdin, sys.stdout = io.StringIO(value), io.StringIO()
        try:
            exec(request["program"], space)
            return sys.stdout.getvalue()
        finally:
            sys.stdin, sys.stdout = sys.__stdin__, sys.__stdout__
    except BaseException:
        return None


def plain(value: Any) -> Any:
    """Only exact built-in types pass, so that no object of the program's own making is compared later."""
    if type(value) in _SAFE:
        return value
    if type(value) in (list, tuple):
        return [plain(part) for part in value]
    if type(value) is dict and all(type(key) is str for key in value):
        return {key: plain(part) for key, part in value.items()}
    return None


if __name__ == "__main__":
    main()
