"""A fork server as this process sees it: started, asked to run programs, killed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_START_SECONDS = 60.0
_SPARE_SECONDS = 10.0
_PATIENCE = 102
"""Times a program's `seconds`: what the server itself gives it on a machine that is busy; see `inside.server`."""
_MOST_BYTES = 1 << 20
_NEEDED = ("LD_LIBRARY_PATH",)
"""All that a fork server gets of this process's environment: without it some installations of Python don't start."""
_CHUNK = 1 << 16
_BOOT = """
import sys
tier, parent, folder = sys.argv[1:]
sys.path.insert(0, folder)
from inside.server import main
sys.path.remove(folder)
main(tier, int(parent))
"""


class ServerDied(Exception):
    """The fork server has ended or doesn't answer. It has been killed; the request may be repeated on another."""


class Refused(Exception):
    """The tier doesn't work here; says why."""


@dataclass(frozen=True)
class Outcome:
    """How programs ended.

    Args:
        codes: exit code of each program, below 0 for a signal, None where it was killed because time was up or the
            first program had ended.
        output: what the first one answered; None past 1 MiB.
    """

    codes: tuple[int | None, ...]
    output: bytes | None


class ForkServer:
    """Started at the first request. For one thread: the kernel kills the server when the thread that started it ends.

    Args:
        tier: "namespaces", "landlock" or "limits"; see `inside.cells`.
    """

    def __init__(self, tier: str) -> None:
        self._tier = tier
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def process_id(self) -> int | None:
        return self._process.pid if self._process else None

    def run(self, request: Mapping[str, Any], seconds: float, memory_bytes: int, text: bytes | None = None) -> Outcome:
        """Runs a program by itself.

        Args:
            request: see `inside.programs`.
            seconds: of CPU time, and twice that on the clock, not counting that it waits for a processor.
            memory_bytes: of address space.
            text: its standard input.

        Raises:
            ServerDied: nothing is known of the program.
            Refused: the program wasn't run, because something that contains it can't be set up.
        """
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            reader, writer = _pipe(ours, theirs)
            given = [_file(theirs, json.dumps(request).encode()), writer]
            if text is not None:
                given.append(_file(theirs, text))
            return self._serve([given], theirs, reader, seconds, memory_bytes)

    def run_pair(
        self, tests: Mapping[str, Any], program: Mapping[str, Any], seconds: float, memory_bytes: int
    ) -> Outcome:
        """Runs two programs that talk with each other, each contained by itself; the output is that of the tests.

        Raises:
            ServerDied, Refused: as `run`.
        """
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            reader, writer = _pipe(ours, theirs)
            calls, asked = _pipe(theirs, theirs)
            replies, replied = _pipe(theirs, theirs)
            first = [_file(theirs, json.dumps(tests).encode()), writer, replies.fileno(), asked]
            silent = theirs.enter_context(io.FileIO(os.devnull, "wb")).fileno()
            second = [_file(theirs, json.dumps(program).encode()), silent, calls.fileno(), replied]
            return self._serve([first, second], theirs, reader, seconds, memory_bytes)

    def kill(self) -> None:
        """With it go the programs that it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._control is not None:
            self._control.close()
        self._process = self._control = None

    def _serve(
        self,
        given: Sequence[Sequence[int]],
        theirs: contextlib.ExitStack,
        reader: io.FileIO,
        seconds: float,
        memory_bytes: int,
    ) -> Outcome:
        """`theirs` is closed once handed over, so that an end that no program holds any more is seen to be closed."""
        control = self._running()
        message = {"descriptors": [*map(len, given)], "seconds": seconds, "memory_bytes": memory_bytes}
        try:
            socket.send_fds(control, [json.dumps(message).encode()], [number for part in given for number in part])
            theirs.close()
            os.set_blocking(reader.fileno(), False)
            output, reply = _follow(reader, control, time.monotonic() + _PATIENCE * seconds + _SPARE_SECONDS)
        except (OSError, ValueError, TimeoutError) as error:
            self.kill()
            raise ServerDied(str(error)) from None
        if "refused" in reply:
            self.kill()
            raise Refused(reply["refused"])
        return Outcome(tuple(reply["codes"]), output)

    def _running(self) -> socket.socket:
        """The socket to the server, once that is ready: its start isn't on the request's clock."""
        if self._process is not None and self._control is not None and self._process.poll() is None:
            return self._control
        self.kill()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # -I would also ignore the hash seed, and a program's results would follow the order of its sets.
        command = [sys.executable, "-P", "-s", "-S", "-B", "-c", _BOOT, self._tier, str(os.getpid())]
        with theirs:
            self._process = subprocess.Popen(
                [*command, str(Path(__file__).parent)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PYTHONHASHSEED": "0", **{name: os.environ[name] for name in _NEEDED if name in os.environ}},
                cwd="/",
            )
        try:
            hello = _receive(self._control, _START_SECONDS)
        except (OSError, ValueError, TimeoutError) as error:
            self.kill()
            raise Refused(f"the fork server doesn't start: {error}") from None
        if "refused" in hello:
            self.kill()
            raise Refused(hello["refused"])
        return self._control


def _pipe(reading: contextlib.ExitStack, writing: contextlib.ExitStack) -> tuple[io.FileIO, int]:
    """Its ends, to be closed with these stacks."""
    reader, writer = os.pipe()
    writing.callback(os.close, writer)
    return reading.enter_context(io.FileIO(reader)), writer


def _file(stack: contextlib.ExitStack, content: bytes) -> int:
    """A file in memory, to be read from its start."""
    descriptor = os.memfd_create("input")
    stack.callback(os.close, descriptor)
    while content:
        content = content[os.write(descriptor, content) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _receive(control: socket.socket, seconds: float) -> dict[str, Any]:
    waiting = select.poll()
    waiting.register(control, select.POLLIN)
    if not waiting.poll(max(0.0, seconds) * 1000):
        raise TimeoutError("no answer")
    message = control.recv(_CHUNK)
    if not message:
        raise ValueError("it has ended")
    reply: dict[str, Any] = json.loads(message)
    return reply


def _follow(reader: io.FileIO, control: socket.socket, deadline: float) -> tuple[bytes | None, dict[str, Any]]:
    """What comes out until the server says that all has ended; the output is None when there is too much of it."""
    parts: list[bytes] = []
    waiting = select.poll()
    waiting.register(control, select.POLLIN)
    waiting.register(reader, select.POLLIN)
    while True:
        ready = waiting.poll(max(0.0, deadline - time.monotonic()) * 1000)
        if not ready:
            raise TimeoutError("no answer")
        if not reader.closed and _drain(reader, parts):
            waiting.unregister(reader)
            reader.close()  # who still writes there is told so
        if any(descriptor == control.fileno() for descriptor, _ in ready):
            reply = _receive(control, 0.0)
            if not reader.closed:
                _drain(reader, parts)
            output = b"".join(parts)
            return (output if len(output) <= _MOST_BYTES else None), reply


def _drain(reader: io.FileIO, parts: list[bytes]) -> bool:
    """Reads what is there; whether the end or the limit has been reached."""
    size = sum(map(len, parts))
    while size <= _MOST_BYTES:
        part = reader.read(_CHUNK)
        if part is None:
            return False
        if not part:
            return True
        parts.append(part)
        size += len(part)
    return True
