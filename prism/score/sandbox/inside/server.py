"""The fork server: `main(tier, parent)` answers messages on descriptor 0, a SOCK_SEQPACKET socket, until it is closed.

It says {"ready": tier} or {"refused": reason} first. A message is a list of programs to be run side by side,

    {"descriptors": [n, ...], "seconds": float, "memory_bytes": int}

with the descriptors of each, in order: its request, where it writes its answer, and for two that talk with each other
the end to read and the end to write; or its standard input. What is in them is never read here, so that no program
finds another's in the memory that it inherits. The answer is {"codes": [...]}, exit codes (a signal's number below 0,
null for one that was still there when the first program ended, or at the deadline) or {"refused": reason} where the
limits don't hold. The clock's limit is twice `seconds`, not counting the time that a program waits for a processor.
"""

import builtins
import fcntl
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any, NoReturn

from . import cells, kernel, programs

REQUEST, STATE = programs.REQUEST, programs.WRITE + 1
_MOST_BYTES = 1 << 16
_MOST_DESCRIPTORS = 16
_MOST_WAITING = 100
"""Times `seconds` that a program may have waited for a processor."""
_WARM = (
    "array ast base64 bisect calendar cmath collections collections.abc copy csv dataclasses datetime decimal difflib "
    "enum fractions functools hashlib heapq io itertools math numbers operator pprint queue random re statistics "
    "string struct textwrap threading time traceback typing unicodedata"
)
"""Imported once, so that the forks don't."""


def main(tier: str, parent: int) -> None:
    kernel.die_with_parent()
    if os.getppid() != parent:
        return
    control = socket.socket(fileno=cells.moved(0, cells.OWN))
    for name in _WARM.split():
        importlib.import_module(name)
    vars(builtins).update(exit=sys.exit, quit=sys.exit)
    proc = cells.moved(os.open("/proc", os.O_RDONLY | os.O_DIRECTORY), cells.OWN)
    try:
        cell = cells.make(tier, proc)
    except OSError as error:
        control.send(json.dumps({"refused": str(error)}).encode())
        return
    kernel.die_with_parent()
    os.environ.clear()
    silent = cells.moved(os.open(os.devnull, os.O_RDWR), cells.OWN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    gc.collect()
    gc.freeze()  # so that collections in the forks don't copy what they share
    control.send(json.dumps({"ready": tier}).encode())
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, _MOST_BYTES, _MOST_DESCRIPTORS)
        if not message:
            return
        control.send(json.dumps(serve(cell, json.loads(message), descriptors, silent, proc)).encode())


def serve(cell: cells.Cell, message: dict[str, Any], descriptors: list[int], silent: int, proc: int) -> dict[str, Any]:
    """Runs the programs; all of them have ended when this returns. Their clock starts once they are contained."""
    children: list[int] = []
    refused = ""
    left = list(descriptors)
    try:
        for count in message["descriptors"]:
            given, left = left[:count], left[count:]
            child, reason = _start(cell, message, given, silent)
            children.append(child)
            refused = refused or reason
    except OSError as error:
        refused = str(error)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    codes = _await(children, 0.0 if refused else message["seconds"], proc)
    return {"refused": refused} if refused else {"codes": codes}


def _start(cell: cells.Cell, message: dict[str, Any], given: list[int], silent: int) -> tuple[int, str]:
    """The child, once it is contained, and why it isn't."""
    reader, writer = os.pipe()
    try:
        child = cell.start()
        if child == 0:
            _become_program(cell, message, given, silent, writer)
    except OSError:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    reason = os.read(reader, 1_000)
    os.close(reader)
    return child, reason.decode(errors="replace")


def _await(children: list[int], seconds: float, proc: int) -> list[int | None]:
    """Exit codes once the first child has ended; the others are killed then, and all when their time is up.

    While a child waits for a processor that others use its clock stands still, so that a busy machine doesn't make
    verdicts; but not for ever.
    """
    codes: dict[int, int] = {}
    began, waited = time.monotonic(), 0.0
    while children and children[0] not in codes:
        left = began + 2 * seconds + waited - time.monotonic()
        if left > 0:
            signal.sigtimedwait({signal.SIGCHLD}, left)
        else:
            more = min(sum(_waited(child, proc) for child in children), _MOST_WAITING * seconds)
            if more <= waited:
                break
            waited = more
        for child in children:
            if child not in codes:
                done, status = os.waitpid(child, os.WNOHANG)
                if done:
                    codes[child] = os.waitstatus_to_exitcode(status)
    for child in children:
        if child not in codes:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return [codes.get(child) for child in children]


def _waited(process: int, proc: int) -> float:
    """Seconds that it was ready to run and didn't; 0 where the kernel doesn't say."""
    try:
        file = os.open(f"{process}/schedstat", os.O_RDONLY, dir_fd=proc)
    except OSError:
        return 0.0
    try:
        return int(os.read(file, 100).split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
    finally:
        os.close(file)


def _become_program(cell: cells.Cell, message: dict[str, Any], given: list[int], silent: int, state: int) -> NoReturn:
    """In the child: is contained, runs the program, leaves. Never returns."""
    code = 1
    try:
        _place(given, silent, state)
        try:
            cell.enter(message["seconds"], message["memory_bytes"])
        except BaseException as error:
            os.write(STATE, f"{type(error).__name__}: {error}".encode()[:500])
            raise
        _leave_without_parent()
        os.closerange(STATE, cells.KEPT)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        code = programs.run()
    finally:
        os._exit(code)


def _place(given: list[int], silent: int, state: int) -> None:
    """Puts a program's descriptors where it looks for them, and nothing where it needs nothing."""
    wanted = [silent] * STATE
    wanted[REQUEST : REQUEST + len(given)] = given
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, cells.OWN) for descriptor in (*wanted, state)]
    for number, descriptor in enumerate(high):
        os.dup2(descriptor, number)


def _leave_without_parent() -> None:
    """The parent's death is told from `give_up_rights` on: one that died before has closed the other end of STATE."""
    waiting = select.poll()
    waiting.register(STATE, 0)
    if waiting.poll(0):
        os._exit(1)
