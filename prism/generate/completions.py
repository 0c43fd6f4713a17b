"""A model behind an OpenAI-compatible `/v1/completions`: vLLM, SGLang, llama.cpp and others.

Prompts go as token ids, so that nothing is tokenised twice. Likelihoods need a server that echoes the prompt with its
log-probabilities, as vLLM does; one that doesn't is refused.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2

from prism.errors import BadInput, UsageError
from prism.generate.protocol import Request, Response, Sampling, Scored, Tokens

if TYPE_CHECKING:
    from torch import Tensor

_TRY_AGAIN = (408, 425, 429)
"""HTTP codes below 500 that say nothing against the request."""
_SEEDS = 1 << 31
"""Seeds that every server takes are below."""


@dataclass(frozen=True)
class Completion:
    """A response's text; `stopped` when the server ended it, by a stop text or the end of the text."""

    text: str
    stopped: bool


class CompletionsModel:
    """Implements `prism.generate.protocol.LanguageModel`, but for hidden states.

    Args:
        url: of the server, with or without /v1. The environment's OPENAI_API_KEY goes along where there is one.
        model: its name there.
        encode: text to tokens without special ones, for responses, which come as text.
        stop_id: the token that ends a response.
        context_length: None asks the server.
        in_flight: requests under way at once.
        attempts: how often a request is sent; `backoff_s` before the second, doubled every time.

    Raises:
        BadInput: the server doesn't answer.
        UsageError: it doesn't have the model, or doesn't say the length of its context.
    """

    def __init__(
        self,
        url: str,
        model: str,
        encode: Callable[[str], Sequence[int]],
        stop_id: int,
        *,
        context_length: int | None = None,
        in_flight: int = 64,
        attempts: int = 4,
        backoff_s: float = 0.5,
        timeout_s: float = 3_600.0,
    ) -> None:
        self._url, self._model = url.rstrip("/").removesuffix("/v1"), model
        self._encode, self._stop_id = encode, stop_id
        self._in_flight, self._attempts, self._backoff_s = in_flight, attempts, backoff_s
        key = os.environ.get("OPENAI_API_KEY")
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(timeout_s, connect=10.0, pool=None),
            trust_env=False,
            headers={"Authorization": f"Bearer {key}"} if key else {},
        )
        self._context_length = context_length or self._served_length()

    @property
    def context_length(self) -> int:
        return self._context_length

    def complete(
        self, prompts: Sequence[Tokens], seeds: Sequence[int], sampling: Sampling, stop: Sequence[str] = ()
    ) -> list[Completion]:
        """A response a prompt, in order; `stop` texts end one and stay out of it. Stop ids are the server's own."""
        bodies = [
            {
                "prompt": list(prompt),
                "max_tokens": min(sampling.max_new_tokens, self._context_length - len(prompt)),
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "seed": seed % _SEEDS,
                **({"stop": list(stop)} if stop else {}),
            }
            for prompt, seed in zip(prompts, seeds, strict=True)
        ]
        return [
            Completion(str(choice.get("text", "")), choice.get("finish_reason") == "stop")
            for choice in self._choices(bodies)
        ]

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Response]:
        """See `Generator.generate`. Tokens are those of the response's text; their log-probabilities aren't known."""
        answered = self.complete([one.prompt for one in requests], [one.seed for one in requests], sampling)
        tokens = [(*self._encode(one.text), *([self._stop_id] if one.stopped else [])) for one in answered]
        return [
            Response(own, (float("nan"),) * len(own), one.stopped) for own, one in zip(tokens, answered, strict=True)
        ]

    def logprobs(self, sequences: Sequence[Tokens]) -> list[list[float]]:
        """See `LanguageModel.logprobs`."""
        return [[value for value, _ in values] for values in self._echoed(sequences)]

    def score(self, contexts: Sequence[Tokens], continuations: Sequence[Tokens]) -> list[Scored]:
        """See `ScoringModel.score`; here a pair may have `context_length` - 1 tokens."""
        whole = [[*context, *continuation] for context, continuation in zip(contexts, continuations, strict=True)]
        scored = []
        for values, continuation in zip(self._echoed(whole), continuations, strict=True):
            own = values[-len(continuation) :]
            scored.append(Scored(sum(value for value, _ in own), all(best for _, best in own)))
        return scored

    def hidden_states(self, sequences: Sequence[Tokens]) -> Tensor:
        raise UsageError("a server doesn't show hidden states", place=self._url, remedy="analyse the weights here")

    def _echoed(self, sequences: Sequence[Tokens]) -> list[list[tuple[float, bool]]]:
        """Of each token but the first its log-probability, and whether none is likelier."""
        bodies = [
            {"prompt": list(sequence), "max_tokens": 1, "temperature": 0, "echo": True, "logprobs": 1}
            for sequence in sequences
        ]
        choices = self._choices(bodies)
        return [self._read_echo(choice, len(one)) for choice, one in zip(choices, sequences, strict=True)]

    def _read_echo(self, choice: Mapping[str, Any], length: int) -> list[tuple[float, bool]]:
        logprobs = choice.get("logprobs") or {}
        values, best = logprobs.get("token_logprobs") or [], logprobs.get("top_logprobs") or []
        if len(values) != length + 1 or len(best) != length + 1 or None in values[1:] or not all(best[1:]):
            raise UsageError(
                f"the server doesn't echo prompts with log-probabilities ({len(values)} for {length} tokens and one "
                "more)",
                place=self._url,
                remedy="likelihoods need echo and logprobs of token ids, as vLLM has them; or run tasks that generate",
            )
        return [
            (float(value), float(value) >= max(map(float, likeliest.values())))
            for value, likeliest in zip(values[1:length], best[1:length], strict=True)
        ]

    def _choices(self, bodies: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        with ThreadPoolExecutor(max(1, min(self._in_flight, len(bodies)))) as pool:
            return list(pool.map(self._choice, bodies))

    def _choice(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self._call("POST", "/v1/completions", {"model": self._model, **body})
        choices = answer.get("choices")
        if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
            raise BadInput("the server's answer has no choice", place=self._url, remedy="see that it is compatible")
        return choices[0]

    def _served_length(self) -> int:
        served = self._call("GET", "/v1/models", None).get("data") or []
        named = {str(one.get("id")): one for one in served}
        if self._model not in named:
            raise UsageError(
                f"the server doesn't have {self._model}",
                place=self._url,
                remedy=f"use one of {', '.join(named)}" if named else "see how it was started",
            )
        length = named[self._model].get("max_model_len")
        if not isinstance(length, int):
            raise UsageError(
                "the server doesn't say how long its context is", place=self._url, remedy="name it: --context-length"
            )
        return length

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> Mapping[str, Any]:
        pause, why = self._backoff_s, ""
        for attempt in range(1, self._attempts + 1):
            try:
                answer = self._client.request(method, f"{self._url}{path}", json=body)
                if 400 <= answer.status_code < 500 and answer.status_code not in _TRY_AGAIN:
                    raise UsageError(
                        f"the server refuses {path} (HTTP {answer.status_code}: {answer.text[:300]})",
                        place=self._url,
                        remedy="see that model, length of context and the task's settings are what it takes",
                    )
                if answer.status_code == 200:
                    found: Mapping[str, Any] = answer.json()
                    return found
                why = f"HTTP {answer.status_code}: {answer.text[:200]}"
            except (httpx2.HTTPError, ValueError) as error:
                why = f"{type(error).__name__}: {error}"
            if attempt < self._attempts:
                time.sleep(pause)
                pause *= 2
        raise BadInput(
            f"no answer from the server, {self._attempts} times; the last: {why}",
            place=f"{self._url}{path}",
            remedy="see that it runs and can be reached from here; what was answered is kept",
        )
