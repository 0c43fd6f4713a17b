"""Workers forked from a server that has imported the engine once, which saves seconds for each node."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from prism.launch.child import become_worker
from prism.launch.worker import Worker, stop_group


class ForkserverLauncher:
    """Runs `target(run_directory, node)` in a fork of the server; its return value is the exit code.

    The server starts with the first worker and ends with this process; so do the workers.

    Args:
        target: a function that a module exports (it is found by name in the child).
        preload: modules that the server imports before the first fork.
        environment: set before the server starts. Thread counts must come this way, since OpenMP reads them when
            torch is imported.
    """

    def __init__(
        self,
        target: Callable[[Path, str], int],
        *,
        preload: Sequence[str],
        environment: Mapping[str, str],
    ) -> None:
        self._target = target
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(preload))
        self._environment = dict(environment)

    def start(self, run_directory: Path, node: str, log: Path) -> Worker:
        os.environ.update(self._environment)
        process = self._context.Process(target=_work, args=(self._target, run_directory, node, log), name=node)
        # the server would end by the warning of a job's end; what it forks inherits that it is held back
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return _Forked(process)


class _Forked:
    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process

    def poll(self) -> int | None:
        return self._process.exitcode

    def stop(self) -> None:
        pid = self._process.pid
        if self._process.exitcode is None and pid is not None:
            stop_group(pid, self.poll)

    def ask_to_leave(self) -> None:
        if self._process.exitcode is None and self._process.pid is not None:
            os.kill(self._process.pid, signal.SIGTERM)


def _work(target: Callable[[Path, str], int], run_directory: Path, node: str, log: Path) -> None:
    become_worker(log)
    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()
    sys.exit(target(run_directory, node))


def _end_after(parent: int) -> None:
    """Ends the worker and what it started when the process that asked for it is gone.

    The server isn't that process, and outlives it as long as it has a child: the kernel's signal comes too late.
    """
    wait([parent])
    os.killpg(0, signal.SIGKILL)
