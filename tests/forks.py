"""Programs of the tests in processes of their own that start at once: forks of a server that has imported the engine.

A fork is a process like one that torchrun starts: its own memory, ranks that find each other over a store, gloo between
them. What it saves is the import of torch and megatron-core, four seconds of a processor for each. How torchrun itself
starts ranks is tested where launching is (tests/launch, tests/pipeline).
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import runpy
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

_PRELOADED = ["prism.train.stage", "prism.megatron.hybrid", "prism.generate.megatron", "prism.megatron.checkpoint"]
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PRISM_BACKEND": "cpu"}


def run_program(program: str, arguments: Sequence[str], ranks: int = 1) -> None:
    """Runs `program` (a module, or a file that ends in .py) with `arguments` on `ranks` ranks; fails with what it said.

    When a rank fails the others are ended.
    """
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=300))
    with tempfile.TemporaryDirectory() as folder:
        said = [Path(folder) / f"{rank}.log" for rank in range(ranks)]
        started = []
        for rank in range(ranks):
            environment = _ENVIRONMENT | (_of_rank(rank, ranks, store.port) if ranks > 1 else {})
            own = {**os.environ, **environment}
            started.append(
                context.Process(target=_be, args=(program, list(arguments), own, str(Path.cwd()), str(said[rank])))
            )
        for process in started:
            process.start()
        while any(process.is_alive() for process in started):
            multiprocessing.connection.wait([process.sentinel for process in started if process.is_alive()])
            if any(process.exitcode for process in started):
                for process in started:
                    process.kill()
        codes = [process.exitcode for process in started]
        told = "\n".join(f"rank {rank}:\n{log.read_text()[-6_000:]}" for rank, log in enumerate(said) if log.exists())
        assert not any(codes), f"{program} left with {codes}\n{told}"


def _of_rank(rank: int, ranks: int, port: int) -> dict[str, str]:
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(ranks),
        "LOCAL_WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }


def _be(program: str, arguments: list[str], environment: Mapping[str, str], folder: str, log: str) -> None:
    """This process becomes the program."""
    target = os.open(log, os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(target, stream)
    os.environ.clear()
    os.environ |= environment
    os.chdir(folder)
    sys.argv = [program, *arguments]
    if program.endswith(".py"):
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
