"""A generator made of vLLM servers: no prompt is lost, no answer is paired wrongly, lost servers come back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from data_prep.errors import UserError
from prism.errors import BadInput, ResourcesExhausted, UsageError
from prism.generate.protocol import Request, Response, Sampling
from prism.generate.vllm.asking import Patience, ask_all
from prism.generate.vllm.fleet import Fleet
from prism.generate.vllm.ranks import Replica
from prism.generate.vllm.server import Server, ServerLost
from prism.generate.vllm.wire import unfit_prompt
from prism.megatron.checkpoint.ranks import first_ranks, from_all_ranks, is_first

log = logging.getLogger("prism.generate")


class Weights(Protocol):
    """Where the servers' weights come from. Both are collective and raise on all ranks alike."""

    def first_model(self, version: int) -> Path | None:
        """The folder that a server begins with, on the first rank."""
        ...

    def push(self, version: int) -> None:
        """Gives every server of the fleet the weights as they are now, as policy `version`.

        Raises:
            ResourcesExhausted: they didn't arrive.
        """
        ...

    def discard(self) -> None:
        """Removes what was written for servers that have ended, or that nobody asks any more. On the first rank."""
        ...


class VllmGenerator:
    """Implements `prism.generate.protocol.Generator`. All ranks make one and call it together, equally often.

    Servers start, wake and get weights when responses are wanted. Servers that are lost on the way are brought back,
    given the weights again, and asked for what is missing with the same seeds.

    Args:
        fleet: on the first rank; None on the others.
        context_length: most tokens of a sequence.
        restarts: how often lost servers are brought back in one call of `generate`.
    """

    def __init__(
        self, fleet: Fleet | None, weights: Weights, context_length: int, patience: Patience, restarts: int
    ) -> None:
        self._fleet, self._weights = fleet, weights
        self._context_length, self._patience, self._restarts = context_length, patience, restarts
        self._replica = Replica()
        self._version = 0
        self._urls: list[str] = []
        """Of servers that are up, awake and have the weights; none means that there is something to do first."""

    @property
    def context_length(self) -> int:
        return self._context_length

    def set_version(self, version: int) -> None:
        """Says that the weights have changed and are policy `version` now: servers need them before they answer."""
        self._version, self._urls = version, []

    def prepare(self) -> None:
        """Starts or wakes the servers and gives them the weights, where that wasn't done yet. Collective."""
        for left in range(self._restarts, -1, -1):
            why = self._ready()
            if why is None:
                return
            self._bring_back(None, why, left)

    def sleep(self) -> None:
        """Makes servers that are awake give GPU memory back; one of ours that fails to is ended. Collective."""
        if self._urls:
            self._urls = []
            self._on_first(self._put_to_sleep)

    def close(self) -> None:
        """Ends the servers that were started here. Each rank may call it alone: after an error others may not come."""
        self._urls = []
        if self._fleet is not None:
            self._fleet.close()
            self._weights.discard()

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Response]:
        """See `Generator.generate`; docs/howto/vllm.md says what decides a response beside its seed.

        Raises:
            BadInput: a prompt is empty or leaves no room for a single token.
            ResourcesExhausted: servers keep being lost.
            UsageError: a server refuses a request.
        """
        for unfit in from_all_ranks(unfit_prompt(requests, self._context_length)):
            if unfit is not None:
                raise BadInput(unfit, place="generate", remedy="leave out prompts that don't fit")
        answered: dict[int, Response] = {}
        for left in range(self._restarts, -1, -1):
            why = self._ready()
            lost: list[str] | None = None
            if why is None:
                lost, why = self._ask(requests, sampling, answered)
            if why is None:
                break
            self._bring_back(lost, why, left)
        return self._replica.share([answered[index] for index in range(len(requests))] if self._replica.asks else [])

    def _ask(
        self, requests: Sequence[Request], sampling: Sampling, answered: dict[int, Response]
    ) -> tuple[list[str], str | None]:
        """Asks for what is missing. Returns the servers that any rank lost, and how."""
        said: tuple[str, str, str] | None = None
        if self._replica.asks:
            servers = self._servers()
            try:
                ask_all(servers, requests, sampling, self._context_length, self._version, self._patience, answered)
            except ServerLost as error:
                said = ("lost", error.url, error.why)
            except UsageError as error:
                said = ("refused", error.place or "", error.message)
        found = [one for one in from_all_ranks(said) if one is not None]
        for kind, url, message in found:
            if kind == "refused":
                raise UsageError(
                    message, place=url, remedy="see that rl.generator.vllm's keys agree with the server's options"
                )
        return [url for _, url, _ in found], f"{found[0][1]}: {found[0][2]}" if found else None

    def _servers(self) -> Sequence[Server]:
        """The first rank knows of its own processes; others know addresses."""
        if self._fleet is not None:
            return self._fleet.servers
        return [Server(url, self._patience.request_s) for url in self._urls]

    def _ready(self) -> str | None:
        """Makes the servers ready to answer with the weights of now; returns what went wrong."""
        if self._urls:
            return None
        try:
            wanted = first_ranks(self._fleet is not None and self._fleet.wants_model)
            model = self._weights.first_model(self._version) if wanted else None
            self._on_first(lambda fleet: fleet.start(model))
            self._on_first(lambda fleet: _each(fleet, Server.wake_weights))
            self._weights.push(self._version)
            self._on_first(lambda fleet: _each(fleet, Server.wake_caches))
        except ResourcesExhausted as error:
            return str(error)
        fleet = self._fleet
        self._urls = first_ranks([server.url for server in fleet.servers] if fleet is not None else [])
        return None

    def _bring_back(self, urls: Sequence[str] | None, why: str, left: int) -> None:
        """Ends lost servers so that they start again; None means all: what one has of weights that didn't arrive at
        another isn't known.

        Raises:
            ResourcesExhausted: it was done too often.
        """
        if not left:
            raise ResourcesExhausted(
                f"the generator was lost {self._restarts + 1} times; at last: {why}",
                place="rl.generator.vllm",
                remedy="see the servers' logs; the step can be repeated with `prism run`",
            )
        log.warning("the generator was lost (%s); bringing it back", why)
        self._urls = []
        self._on_first(lambda fleet: fleet.drop([server.url for server in fleet.servers] if urls is None else urls))

    def _put_to_sleep(self, fleet: Fleet) -> None:
        for server in fleet.servers:
            try:
                server.sleep()
            except ResourcesExhausted as error:
                log.warning("%s", error)
                fleet.drop([server.url])

    def _on_first(self, work: Callable[[Fleet], None]) -> None:
        """Runs `work` on the first rank; every rank raises what it raised. Collective."""
        failed: tuple[str, str | None, str | None] | None = None
        if is_first():
            assert self._fleet is not None
            try:
                work(self._fleet)
            except UserError as error:
                failed = (error.message, error.place, error.remedy)
        failed = first_ranks(failed)
        if failed is not None:
            message, place, remedy = failed
            raise ResourcesExhausted(message, place=place, remedy=remedy)


def _each(fleet: Fleet, work: Callable[[Server], None]) -> None:
    """Of servers that sleep."""
    for server in fleet.servers:
        if server.asleep:
            work(server)
