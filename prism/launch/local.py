"""A node spread over several processes of this machine, with torchrun."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from prism.launch.child import die_with_parent
from prism.launch.leave import hold_warning
from prism.launch.worker import Worker, stop_group


class TorchrunLauncher:
    """Runs `python -m module RUN_DIRECTORY NODE` in `processes` processes that find one another.

    Args:
        module: what each process runs; it must call `prism.launch.child.die_with_parent`.
        environment: added to this process's own.
    """

    def __init__(self, module: str, processes: int, *, environment: Mapping[str, str]) -> None:
        self._module = module
        self._processes = processes
        self._environment = dict(environment)

    def start(self, run_directory: Path, node: str, log: Path) -> Worker:
        log.parent.mkdir(parents=True, exist_ok=True)
        parent = os.getpid()

        def prepare() -> None:
            os.setpgid(0, 0)
            hold_warning()
            die_with_parent(parent)

        with log.open("ab") as handle:
            # the warning of a job's end reaches torchrun too, which it would end; ranks take it up again
            process = subprocess.Popen(
                self.command(run_directory, node),
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._environment},
                preexec_fn=prepare,
            )
        return _Started(process)

    def command(self, run_directory: Path, node: str) -> list[str]:
        """The command line, with a port that is free now."""
        return [
            *(sys.executable, "-m", "torch.distributed.run"),
            *("--nproc-per-node", str(self._processes)),
            *("--master-addr", "127.0.0.1", "--master-port", str(free_port())),
            *("-m", self._module, str(run_directory), node),
        ]


class _Started:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def poll(self) -> int | None:
        return self._process.poll()

    def stop(self) -> None:
        if self._process.poll() is None:
            stop_group(self._process.pid, self._process.poll)

    def ask_to_leave(self) -> None:
        """Past torchrun, which would give its ranks 30 seconds to save themselves."""
        for child in _children(self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)


def _children(pid: int) -> list[int]:
    """Processes that any thread of `pid` started and that still run; none where /proc doesn't tell."""
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in found for child in file.read_text().split()]


def free_port() -> int:
    """A TCP port of the loopback address that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
