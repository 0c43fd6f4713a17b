"""Child processes that answer a JSON line with a JSON line: several side by side, replaced when they hang or die."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from prism.errors import PrismError

_START_SECONDS = 60.0
_FEWEST_WORKERS = 2
_MOST_WORKERS = 4


class WorkerPool:
    """Workers of one kind, started when first needed.

    Args:
        command: starts a worker. It writes one line when it is ready, then one line for each line that it reads.
        environment: the worker's whole environment.
        remedy: what to do when a worker doesn't start.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], remedy: str) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._remedy = remedy
        self._owner = os.getpid()
        self._open()
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._open)

    def ask_all(self, requests: Sequence[Any], seconds: Sequence[float]) -> list[Any]:
        """The answers in order; None where a worker died twice, or took more than its `seconds` and was killed.

        May be called by several threads at once; they share the workers.

        Raises:
            PrismError: a worker doesn't start.
        """
        if not requests:
            return []
        with ThreadPoolExecutor(min(len(requests), self._size)) as threads:
            return list(threads.map(self._ask, requests, seconds))

    def close(self) -> None:
        """Kills the workers, unless they belong to the process that this one was forked from."""
        if os.getpid() == self._owner:
            for worker in self._workers:
                worker.kill()

    def _open(self) -> None:
        """Also runs in a forked child, which must not talk to its parent's workers."""
        self._owner = os.getpid()
        self._size = min(_MOST_WORKERS, max(_FEWEST_WORKERS, len(os.sched_getaffinity(0))))
        self._workers = [_Worker(self._command, self._environment, self._remedy) for _ in range(self._size)]
        self._idle = deque(self._workers)
        self._is_idle = threading.Semaphore(self._size)

    def _ask(self, request: Any, seconds: float) -> Any:
        """The worker that was used last comes first. One that was killed comes back when it has started again."""
        self._is_idle.acquire()
        worker = self._idle.pop()
        try:
            return worker.ask(request, seconds)
        finally:
            if worker.running:
                self._give_back(worker)
            else:
                threading.Thread(target=self._restart, args=(worker,), daemon=True).start()

    def _restart(self, worker: _Worker) -> None:
        # Where it doesn't start, whoever asks it next is told.
        with contextlib.suppress(PrismError, OSError):
            worker.start()
        self._give_back(worker)

    def _give_back(self, worker: _Worker) -> None:
        self._idle.append(worker) if worker.running else self._idle.appendleft(worker)
        self._is_idle.release()


class _Worker:
    def __init__(self, command: list[str], environment: dict[str, str], remedy: str) -> None:
        self._command = command
        self._environment = environment
        self._remedy = remedy
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: Any, seconds: float) -> Any:
        """A worker that died before it answered is asked once more: something else may have ended it."""
        line = json.dumps(request).encode() + b"\n"
        for _ in range(2):
            process = self._running()
            try:
                assert process.stdin is not None
                process.stdin.write(line)
                process.stdin.flush()
                return json.loads(_line(process, seconds))
            except TimeoutError:
                self.kill()
                break
            except (OSError, ValueError, RecursionError):
                self.kill()
        return None

    def kill(self) -> None:
        """Ends the process without waiting until it is gone."""
        if self._process is not None:
            self._process.kill()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                with contextlib.suppress(OSError):
                    pipe.close()
            self._process = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> subprocess.Popen[bytes]:
        """Starts the process, and waits until it is ready.

        Raises:
            PrismError: it doesn't start.
        """
        self.kill()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment,
            cwd="/",
        )
        try:
            _line(self._process, _START_SECONDS)
        except (OSError, ValueError, TimeoutError):
            self.kill()
            raise PrismError(
                "a verifier's child process doesn't start", place=" ".join(self._command), remedy=self._remedy
            ) from None
        return self._process

    def _running(self) -> subprocess.Popen[bytes]:
        """The process, once it is ready: its start, imports included, isn't on the request's clock."""
        if self._process is not None and self._process.poll() is None:
            return self._process
        return self.start()


def _line(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """The next line of its output. Raises TimeoutError, or ValueError when it ended."""
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    deadline = time.monotonic() + seconds
    parts: list[bytes] = []
    while not parts or not parts[-1].endswith(b"\n"):
        if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError
        part = os.read(descriptor, 1 << 16)
        if not part:
            raise ValueError("the worker ended")
        parts.append(part)
    return b"".join(parts)
