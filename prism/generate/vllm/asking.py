"""Many requests under way at once, each asked until its answer is right; servers that die or hang are noticed."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from prism.errors import UsageError
from prism.generate.protocol import Request, Response, Sampling
from prism.generate.vllm.server import Server, ServerLost, tokens_done
from prism.generate.vllm.wire import Asked, BadAnswer, ask, read

log = logging.getLogger("prism.generate")

_TRY_AGAIN = (408, 425, 429)
"""HTTP codes below 500 that say nothing against the request."""


@dataclass(frozen=True)
class Patience:
    """How long servers are waited for.

    Args:
        in_flight: requests under way at once, over all servers.
        attempts: how often a request is sent before its server counts as lost.
        request_s: seconds that an answer may take.
        stall_s: seconds that a server with requests may take from one token to the next.
        look_every_s: seconds from one look at a server's health to the next; each look may take `look_s`, and after
            `failed_looks` in a row the server counts as lost.
        backoff_s: seconds before a request is sent again; doubled every time.
    """

    in_flight: int = 512
    attempts: int = 4
    request_s: float = 3_600.0
    stall_s: float = 300.0
    look_every_s: float = 2.0
    look_s: float = 5.0
    failed_looks: int = 3
    backoff_s: float = 0.25


def ask_all(
    servers: Sequence[Server],
    requests: Sequence[Request],
    sampling: Sampling,
    context_length: int,
    version: int,
    patience: Patience,
    answered: dict[int, Response],
) -> None:
    """Asks every request that isn't in `answered` yet, and puts its response there under its place in `requests`.

    Raises:
        ServerLost: a server is dead or hung, or keeps giving bad answers. What was answered until then stays.
        UsageError: a server refuses a request.
    """
    asking = _Asking(servers, sampling, context_length, version, patience, answered)
    try:
        asyncio.run(asking.run(requests))
    except BaseExceptionGroup as group:
        for kind in (UsageError, ServerLost):
            found = group.subgroup(kind)
            if found is not None:
                raise _first(found) from None
        raise


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class _Asking:
    def __init__(
        self,
        servers: Sequence[Server],
        sampling: Sampling,
        context_length: int,
        version: int,
        patience: Patience,
        answered: dict[int, Response],
    ) -> None:
        self._servers, self._sampling, self._context, self._version = servers, sampling, context_length, version
        self._patience, self._answered = patience, answered
        self._name = secrets.token_hex(8)
        self._waiting = dict.fromkeys(servers, 0)
        """Requests that each server has."""

    async def run(self, requests: Sequence[Request]) -> None:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=self._patience.in_flight)
        timeout = httpx2.Timeout(self._patience.request_s, connect=self._patience.look_s, pool=None)
        gate = asyncio.Semaphore(self._patience.in_flight)
        async with (
            httpx2.AsyncClient(limits=limits, timeout=timeout, trust_env=False) as client,
            asyncio.TaskGroup() as group,
        ):
            watching = [group.create_task(self._watch(client, server)) for server in self._servers]
            asking = [
                group.create_task(self._ask(client, gate, index, request))
                for index, request in enumerate(requests)
                if index not in self._answered
            ]
            for task in asking:
                await task
            for task in watching:
                task.cancel()

    async def _ask(self, client: httpx2.AsyncClient, gate: asyncio.Semaphore, index: int, request: Request) -> None:
        server = self._servers[index % len(self._servers)]
        async with gate:
            self._waiting[server] += 1
            try:
                self._answered[index] = await self._until_right(client, server, index, request)
            finally:
                self._waiting[server] -= 1

    async def _until_right(self, client: httpx2.AsyncClient, server: Server, index: int, request: Request) -> Response:
        pause = self._patience.backoff_s
        for attempt in range(1, self._patience.attempts + 1):
            identifier = f"{self._name}-{index}-{attempt}"
            asked, body = ask(request, self._sampling, self._context, self._version, identifier)
            try:
                return await self._once(client, server, asked, body)
            except (BadAnswer, httpx2.HTTPError, ValueError, TimeoutError) as error:
                why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
                log.warning("%s: request %d, attempt %d: %s", server.url, index, attempt, why)
                if attempt == self._patience.attempts:
                    raise ServerLost(server.url, f"{attempt} bad answers to one request; the last: {why}") from None
            await asyncio.sleep(pause)
            pause *= 2
        raise AssertionError("attempts is at least 1")

    async def _once(self, client: httpx2.AsyncClient, server: Server, asked: Asked, body: dict[str, Any]) -> Response:
        async with asyncio.timeout(self._patience.request_s):
            answer = await client.post(f"{server.url}/v1/completions", json=body)
        if 400 <= answer.status_code < 500 and answer.status_code not in _TRY_AGAIN:
            raise UsageError(
                f"the generator refuses a request (HTTP {answer.status_code}: {answer.text[:300]})",
                place=server.url,
                remedy="see that its context length and the recipe's rl.generator.vllm.context_length agree, and that "
                "it is vLLM 0.33",
            )
        if answer.status_code != 200:
            raise BadAnswer(f"HTTP {answer.status_code}: {answer.text[:200]}")
        return read(answer.json(), asked)

    async def _watch(self, client: httpx2.AsyncClient, server: Server) -> None:
        """Raises ServerLost once the server has ended, doesn't answer, or draws no token for too long."""
        failed, last, since = 0, None, time.monotonic()
        while True:
            await asyncio.sleep(self._patience.look_every_s)
            ended = server.ended()
            if ended is not None:
                raise ServerLost(server.url, ended)
            failed = 0 if await self._look(client, server, "/health") is not None else failed + 1
            if failed >= self._patience.failed_looks:
                raise ServerLost(server.url, f"no answer from /health, {failed} times")
            done = tokens_done(await self._look(client, server, "/metrics") or "")
            if done is None or done != last or not self._waiting[server]:
                last, since = done, time.monotonic()
            elif time.monotonic() - since > self._patience.stall_s:
                raise ServerLost(server.url, f"no token for {self._patience.stall_s:g} s: it hangs")

    async def _look(self, client: httpx2.AsyncClient, server: Server, path: str) -> str | None:
        try:
            answer = await client.get(f"{server.url}{path}", timeout=self._patience.look_s)
            return answer.text if answer.status_code == 200 else None
        except httpx2.HTTPError:
            return None
