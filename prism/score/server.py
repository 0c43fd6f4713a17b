"""Rewards over HTTP: `judge` for other trainers, and for other machines.

POST /score judges a batch, GET /health says what is served, GET /metrics is for Prometheus. Errors are JSON,
{"error": {"message": ..., "details": [...]}}, with a status from 400 on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from prism.errors import BadInput, PrismError
from prism.recipe.schema.rewards import RewardsConfig
from prism.score.rewards import Answered, Judged, judge
from prism.score.server_metrics import ServerMetrics
from prism.score.server_schema import BadRequest, read_batch, result
from prism.score.verdict import PromptRow
from prism.score.verify import VERIFIERS


@dataclass(frozen=True)
class Limits:
    """What a server takes.

    body_bytes: of a request.
    items: responses in a request.
    waiting: requests that wait or are judged; more are sent away with 503.
    together: requests judged side by side; all share the verifiers' processes.
    body_s: seconds until a request's body must be there.
    """

    body_bytes: int = 64 << 20
    items: int = 4_096
    waiting: int = 64
    together: int = 8
    body_s: float = 60.0


def reward_app(rewards: RewardsConfig, prompts: Mapping[str, PromptRow], limits: Limits) -> Starlette:
    """The server as an ASGI application. `prompts`: rows that a request may name by their id."""
    service = _Service(rewards, prompts, limits)
    return Starlette(
        routes=[
            Route("/score", service.score, methods=["POST"]),
            Route("/health", service.health, methods=["GET"]),
            Route("/metrics", service.metrics, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _http_error, Exception: _failure},
        lifespan=service.lifespan,
    )


class _Service:
    def __init__(self, rewards: RewardsConfig, prompts: Mapping[str, PromptRow], limits: Limits) -> None:
        self._rewards = rewards
        self._prompts = prompts
        self._limits = limits
        self._metrics = ServerMetrics()
        self._waiting = 0
        self._threads = ThreadPoolExecutor(limits.together, thread_name_prefix="judge")

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        yield
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def score(self, request: Request) -> Response:
        start = time.monotonic()
        try:
            response: Response = JSONResponse({"results": await self._judge(request, start)})
        except BadRequest as error:
            response = _error(error)
        except TimeoutError:
            response = _error(BadRequest(408, f"the body didn't come within {self._limits.body_s:g} s"))
        except ClientDisconnect:
            response = Response(status_code=499)
        except PrismError as error:
            response = _error(BadRequest(422 if isinstance(error, BadInput) else 500, str(error)))
        self._metrics.answered(response.status_code)
        return response

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "prompts": len(self._prompts), "verifiers": list(VERIFIERS)})

    async def metrics(self, request: Request) -> Response:
        return Response(self._metrics.text(), media_type=self._metrics.content_type)

    async def _judge(self, request: Request, start: float) -> list[dict[str, object]]:
        if self._waiting >= self._limits.waiting:
            raise BadRequest(503, f"{self._waiting} requests are waiting; try again later")
        self._waiting += 1
        self._metrics.waiting.inc()
        try:
            async with asyncio.timeout(self._limits.body_s):
                body = await _body(request, self._limits.body_bytes)
            loop = asyncio.get_running_loop()
            items, judged = await loop.run_in_executor(self._threads, self._work, body)
        finally:
            self._waiting -= 1
            self._metrics.waiting.dec()
        self._metrics.judged(items, judged, time.monotonic() - start)
        return [result(one) for one in judged]

    def _work(self, body: bytes) -> tuple[Sequence[Answered], Sequence[Judged]]:
        items = read_batch(body, self._prompts, self._limits.items)
        try:
            return items, judge(items, self._rewards)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            # Verifiers read a row as its file has it; a file that can't be judged fails alike in training.
            raise BadRequest(422, f"a prompt's verifier can't be read: {type(error).__name__}: {error}") from error


async def _body(request: Request, most: int) -> bytes:
    """The body, read no further than the limit."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most:
        raise BadRequest(413, f"the body has {announced} bytes; this server takes {most}")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise BadRequest(413, f"the body has more than {most} bytes")
        parts.append(part)
    return b"".join(parts)


def _error(error: BadRequest) -> Response:
    headers = {"Retry-After": "1"} if error.status == 503 else {}
    if error.status in (408, 413):
        headers["Connection"] = "close"  # the rest of the body isn't read
    return JSONResponse(
        {"error": {"message": error.message, "details": list(error.details)}}, status_code=error.status, headers=headers
    )


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(BadRequest(error.status_code, f"{request.method} {request.url.path}: {error.detail}"))


async def _failure(request: Request, error: Exception) -> Response:
    return _error(BadRequest(500, f"{type(error).__name__}: {error}"))
