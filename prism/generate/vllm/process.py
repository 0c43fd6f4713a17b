"""Servers that are started here: on which GPUs, with which options, and how they are ended."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prism.errors import ResourcesExhausted
from prism.generate.vllm import keeper
from prism.generate.vllm.server import Server

log = logging.getLogger("prism.generate")

_LOOK_S = 0.2
_END_S = 30.0
_SHOWN_LINES = 12
"""Of a server's log, when it doesn't start."""


@dataclass(frozen=True)
class Launch:
    """How a server is started.

    Args:
        command: the model's folder and `arguments` follow it.
        gpus: that it sees; empty leaves the environment's.
        log: file that its output is added to.
        start_s: seconds that it may take until it is healthy, or to take new weights.
    """

    command: tuple[str, ...]
    arguments: tuple[str, ...]
    gpus: tuple[int, ...]
    log: Path
    start_s: float


class OwnServer(Server):
    """A server process of this process's. It ends when this process does, however that ends."""

    def __init__(self, launch: Launch, model: Path) -> None:
        port = _free_port()
        super().__init__(f"http://127.0.0.1:{port}", launch.start_s)
        self._launch = launch
        launch.log.parent.mkdir(parents=True, exist_ok=True)
        # The server listens on this machine alone: its controls ask nobody for a password.
        address = ("--host", "127.0.0.1", "--port", str(port))
        command = [*launch.command, str(model), *address, *launch.arguments]
        environment = {**os.environ, "VLLM_SERVER_DEV_MODE": "1"}
        if launch.gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, launch.gpus))
        for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
            environment.pop(name, None)  # of the trainer's world
        self._process = subprocess.Popen(
            [sys.executable, "-I", keeper.__file__, str(launch.log), *command],
            stdin=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # a signal to the trainer's group is the trainer's to answer
        )
        log.info("%s: starting %s", self.url, " ".join(command))

    def ended(self) -> str | None:
        """See `Server.ended`."""
        code = self._process.poll()
        return None if code is None else f"the server ended with exit code {code}; see {self._launch.log}"

    def wait_until_healthy(self) -> None:
        """Raises ResourcesExhausted when it ends, or takes too long; it is ended then."""
        deadline = time.monotonic() + self._launch.start_s
        while not self.healthy():
            ended = self.ended()
            if ended is None and time.monotonic() > deadline:
                ended = f"not healthy after {self._launch.start_s:g} s"
            if ended is not None:
                self.end()
                raise ResourcesExhausted(
                    f"the generator didn't start: {ended}\n{_last_lines(self._launch.log)}",
                    place="rl.generator.vllm.command",
                    remedy=f"see {self._launch.log}",
                )
            time.sleep(_LOOK_S)

    def end(self) -> None:
        """Ends it and everything that it started; returns when they are gone."""
        assert self._process.stdin is not None  # it was made with a pipe
        self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def vllm_arguments(
    *,
    tensor_parallel: int,
    gpu_memory_utilization: float,
    context_length: int,
    dtype: str,
    sleeps: bool,
    over_nccl: bool,
) -> tuple[str, ...]:
    """Options of `vllm serve` (0.33).

    `raw_logprobs` are those before temperature and top-p; `--generation-config vllm` keeps the model folder's own
    sampling defaults and stop tokens out.
    """
    options = [
        *("--tensor-parallel-size", str(tensor_parallel)),
        *("--gpu-memory-utilization", str(gpu_memory_utilization)),
        *("--max-model-len", str(context_length)),
        *("--dtype", dtype),
        *("--logprobs-mode", "raw_logprobs"),
        *("--generation-config", "vllm"),
    ]
    if sleeps:
        options.append("--enable-sleep-mode")
    if over_nccl:
        options += ["--weight-transfer-config", '{"backend": "nccl"}', "--load-format", "dummy"]
    return tuple(options)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _last_lines(path: Path) -> str:
    lines: Sequence[str] = path.read_text(errors="replace").splitlines() if path.exists() else []
    return "\n".join(lines[-_SHOWN_LINES:])
