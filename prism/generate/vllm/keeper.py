"""Runs a command and ends all of its processes when the one that asked for it ends, however it ends.

    keeper.py LOG COMMAND [ARGUMENT ...]

Standard input is a pipe that the asking process holds open: its end is the signal, as is SIGTERM. A process of its own,
since a process that is killed can't clean up; only Python's standard library, since it is started by its path.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LOOK_S = 0.2
_GRACE_S = 5.0
"""Seconds between asking processes to end and ending them."""


def main() -> None:
    log, *command = sys.argv[1:]
    asked_to_end, ask_to_end = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.write(ask_to_end, b"x"))
    if sys.platform.startswith("linux"):
        kernel = ctypes.CDLL(None, use_errno=True)
        kernel.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        kernel.prctl(_PR_SET_CHILD_SUBREAPER, 1)  # grandchildren whose parent died become ours
    with Path(log).open("ab") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    while child.poll() is None:
        if select.select([sys.stdin.fileno(), asked_to_end], [], [], _LOOK_S)[0]:
            break
    _end(child)
    code = child.wait()
    sys.exit(code if code >= 0 else 128 - code)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends the command and everything that it started."""
    _signal_all(child, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_S
    while _left(child) and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    while _left(child) and time.monotonic() < deadline + _GRACE_S:
        _signal_all(child, signal.SIGKILL)  # again and again: those whose parent ended become ours one after the other
        time.sleep(_LOOK_S)


def _signal_all(child: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
    for process in _adopted():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def _left(child: subprocess.Popen[bytes]) -> bool:
    child.poll()
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    try:
        os.killpg(child.pid, 0)
    except ProcessLookupError:
        return bool(_adopted())
    except PermissionError:
        return True
    return True


def _adopted() -> list[int]:
    """Processes that are children of this one now."""
    try:
        return [int(word) for word in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []


if __name__ == "__main__":
    main()
