"""Fork servers side by side, each with a thread of its own that asks it; replaced when they die."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from prism.score.sandbox.server import ForkServer, Refused, ServerDied

log = logging.getLogger("prism.sandbox")

Result = TypeVar("Result")
_MOST_SERVERS = 16
_ATTEMPTS = 2


class Pool:
    """A job is a function of a fork server, and is given one for itself. Threads and servers start when needed.

    Args:
        tier: of all servers; see `ForkServer`.
        size: of the pool; by default two servers a core, as programs may sleep, up to 16.
    """

    def __init__(self, tier: str, size: int | None = None) -> None:
        self._tier = tier
        self._size = size or min(_MOST_SERVERS, 2 * len(os.sched_getaffinity(0)))
        self._jobs: queue.SimpleQueue[tuple[Callable[[ForkServer], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._servers: list[ForkServer] = []
        self._lock = threading.Lock()

    def run_all(self, jobs: Sequence[Callable[[ForkServer], Result]]) -> list[Result | None]:
        """The jobs' results in order. A job whose server dies is repeated once on a new one, and None if that dies too.

        Raises:
            Refused: programs can't be contained as the tier says, at the second attempt too.
        """
        futures: list[Future[Any]] = [Future() for _ in jobs]
        for job, future in zip(jobs, futures, strict=True):
            self._jobs.put((job, future))
        with self._lock:
            while len(self._servers) < min(self._size, len(jobs)):
                self._servers.append(ForkServer(self._tier))
                threading.Thread(target=self._work, args=(self._servers[-1],), name="sandbox", daemon=True).start()
        return [future.result() for future in futures]

    def server_process_ids(self) -> list[int]:
        """Of the servers that run."""
        return [number for server in self._servers if (number := server.process_id) is not None]

    def close(self) -> None:
        """Ends the servers once their jobs are done."""
        for _ in self._servers:
            self._jobs.put(None)

    def _work(self, server: ForkServer) -> None:
        """Until the pool is closed. This thread starts its server, which the kernel ends with it."""
        while (item := self._jobs.get()) is not None:
            job, future = item
            try:
                future.set_result(_attempt(job, server))
            except BaseException as error:
                future.set_exception(error)
        server.kill()


def _attempt(job: Callable[[ForkServer], Result], server: ForkServer) -> Result | None:
    for attempt in range(_ATTEMPTS):
        try:
            return job(server)
        except ServerDied as error:
            log.warning("a sandbox's fork server died (%s); it is replaced", error)
        except Refused:
            if attempt + 1 == _ATTEMPTS:
                raise
    return None
