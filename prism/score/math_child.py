"""Compares expressions with math-verify: reads `{"pairs": [[gold, answer], ...], "seconds": s}`, a JSON line each, and
answers true when all pairs are equal, false when one isn't, null when that can't be said within the time.

Started by prism.score.math. math-verify's own timeouts are off: they need signal handlers, which don't run while a
huge number is computed. Instead this process computes nothing: it forks one that does, and kills it when its time is
over. A new fork has math-verify loaded, so a kill costs milliseconds.

Nobody outlives the parent: this process ends when its standard input does, or when it gets another parent; the kernel
kills the fork when this process ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any

from math_verify import parse, verify

_CPU_SHARE = 0.4
"""Of an answer's time: CPU time until the kernel ends the fork. On a machine that isn't overloaded it comes first, so
that what an answer gets doesn't depend on what else is running."""

_MEMORY = 1 << 30
_ANSWERS_A_FORK = 256
_DIGITS = 12
_PRECISION = 60
"""Digits in which expressions that no rule shows to be equal are compared."""

_PR_SET_PDEATHSIG = 1
_LOOK_FOR_PARENT_S = 1.0


def main() -> None:
    # Whoever stops the parent's group lets it finish what it began: this process goes with its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _equal("\\frac{1}{2}", "0.50")  # builds the parser's tables before forks share them
    print(json.dumps("ready"), flush=True)
    fork = _Fork()
    parent = os.getppid()
    while line := _line(parent):
        request = json.loads(line)
        print(json.dumps(fork.ask(line, float(request["seconds"]))), flush=True)


class _Fork:
    """The process that computes, replaced when it was killed, and after a while so that its caches don't grow."""

    def __init__(self) -> None:
        self._pid = 0
        self._requests = self._replies = -1
        self._answered = 0
        self._killed: list[int] = []

    def ask(self, line: bytes, seconds: float) -> Any:
        """The fork's answer; None where it died or was killed. Ends this process when the parent is gone."""
        if not self._pid or self._answered >= _ANSWERS_A_FORK:
            self._start()
        self._answered += 1
        deadline = time.monotonic() + seconds
        os.write(self._requests, line)
        reply = b""
        while not reply.endswith(b"\n"):
            ready, _, _ = select.select([self._replies, 0], [], [], max(0.0, deadline - time.monotonic()))
            if 0 in ready:
                sys.exit(0)  # the parent speaks only when it was answered: this is the end of its pipe
            part = os.read(self._replies, 4096) if ready else b""
            if not part:
                self._end()
                return None
            reply += part
        return json.loads(reply)

    def _start(self) -> None:
        self._end()
        ours, theirs = os.pipe(), os.pipe()
        self._pid = os.fork()
        if not self._pid:
            _compute(ours[0], theirs[1])
            os._exit(0)
        os.close(ours[0])
        os.close(theirs[1])
        self._requests, self._replies, self._answered = ours[1], theirs[0], 0

    def _end(self) -> None:
        """Doesn't wait for the end: a process with much memory takes a while, and the parent waits for its answer."""
        self._killed = [pid for pid in self._killed if os.waitpid(pid, os.WNOHANG) == (0, 0)]
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            self._killed.append(self._pid)
            os.close(self._requests)
            os.close(self._replies)
            self._pid = 0


def _compute(requests: int, replies: int) -> None:
    """The fork's whole life."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    with os.fdopen(requests, "rb") as lines:
        for line in lines:
            request = json.loads(line)
            signal.setitimer(signal.ITIMER_PROF, _CPU_SHARE * float(request["seconds"]))
            same = all(_equal(gold, answer) for gold, answer in request["pairs"])
            signal.setitimer(signal.ITIMER_PROF, 0)
            os.write(replies, json.dumps(same).encode() + b"\n")


def _equal(gold: str, answer: str) -> bool:
    try:
        parsed = [parse(f"${text}$", parsing_timeout=None) for text in (gold, answer)]
        return bool(
            verify(parsed[0], parsed[1], float_rounding=_DIGITS, numeric_precision=_PRECISION, timeout_seconds=None)
        )
    except Exception:
        return False


def _line(parent: int) -> bytes:
    """The next line of standard input; empty at its end, or when the parent is gone."""
    line = b""
    while not line.endswith(b"\n"):
        if not select.select([0], [], [], _LOOK_FOR_PARENT_S)[0]:
            if os.getppid() != parent:
                return b""
            continue
        part = os.read(0, 1 << 16)
        if not part:
            return b""
        line += part
    return line


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
