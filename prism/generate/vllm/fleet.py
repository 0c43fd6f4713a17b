"""The servers of a stage: those that it starts, or those that it was given. Lives on the first rank."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from prism.errors import ResourcesExhausted
from prism.generate.vllm.process import Launch, OwnServer
from prism.generate.vllm.server import Server

log = logging.getLogger("prism.generate")

_LOOK_S = 1.0


class Fleet(Protocol):
    """Servers, and how lost ones come back."""

    @property
    def servers(self) -> Sequence[Server]:
        """Those that are up; none before `start`. A server that was started again is another object."""
        ...

    @property
    def wants_model(self) -> bool:
        """Whether `start` starts a server, which begins with the weights of a folder."""
        ...

    def start(self, model: Path | None) -> None:
        """Returns when all are healthy. `model` is the folder that a server begins with, where one is wanted.

        Raises:
            ResourcesExhausted: one doesn't get healthy in time.
        """
        ...

    def drop(self, urls: Sequence[str]) -> None:
        """Ends lost servers, where they are ours to end; `start` brings them back."""
        ...

    def close(self) -> None: ...


class OwnFleet:
    """Servers that this process starts, one a launch."""

    def __init__(self, launches: Sequence[Launch]) -> None:
        self._launches = launches
        self._servers: list[OwnServer | None] = [None] * len(launches)

    @property
    def servers(self) -> Sequence[Server]:
        return [server for server in self._servers if server is not None]

    @property
    def wants_model(self) -> bool:
        return None in self._servers

    def start(self, model: Path | None) -> None:
        for place, launch in enumerate(self._launches):
            if self._servers[place] is None:
                assert model is not None  # it was wanted
                self._servers[place] = OwnServer(launch, model)
        for place, server in enumerate(self._servers):
            assert server is not None  # all were started
            try:
                server.wait_until_healthy()
            except ResourcesExhausted:
                self._servers[place] = None
                raise

    def drop(self, urls: Sequence[str]) -> None:
        for place, server in enumerate(self._servers):
            if server is not None and (server.url in urls or not server.healthy()):
                log.warning("%s: ending a lost server", server.url)
                server.end()
                self._servers[place] = None

    def close(self) -> None:
        for server in self._servers:
            if server is not None:
                server.end()
        self._servers = [None] * len(self._launches)


class GivenFleet:
    """Servers that somebody else runs; a lost one is waited for.

    Args:
        patience_s: seconds until all must be healthy; also what taking new weights may take.
    """

    def __init__(self, urls: Sequence[str], patience_s: float) -> None:
        self._urls, self._patience_s = list(urls), patience_s
        self._servers: dict[str, Server] = {}

    @property
    def servers(self) -> Sequence[Server]:
        return list(self._servers.values())

    @property
    def wants_model(self) -> bool:
        return False

    def start(self, model: Path | None) -> None:
        deadline = time.monotonic() + self._patience_s
        found = {url: self._servers.get(url) or Server(url, self._patience_s) for url in self._urls}
        for server in found.values():
            while not server.healthy():
                if time.monotonic() > deadline:
                    raise ResourcesExhausted(
                        f"no healthy server after {self._patience_s:g} s",
                        place=server.url,
                        remedy="start it, or correct rl.generator.vllm.urls",
                    )
                time.sleep(_LOOK_S)
        self._servers = found

    def drop(self, urls: Sequence[str]) -> None:
        for url in self._urls:
            server = self._servers.get(url)
            if server is not None and (server.url in urls or not server.healthy()):
                del self._servers[url]

    def close(self) -> None:
        self._servers = {}
