"""A sample as vLLM's `/v1/completions` asks for it, and what its answer must be to be taken.

Follows vLLM 0.33. Token ids travel both ways, so nothing is tokenised again: `return_token_ids` gives prompt and
response as ids, `return_tokens_as_token_ids` names the id that each log-probability belongs to, `logprobs: 0` asks for
that of the drawn token (before temperature and top-p, as the server's `logprobs_mode` says), `return_weight_versions`
for the version of the weights that drew each token.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prism.generate.protocol import Request, Response, Sampling

_SEED_BITS = 63
_ABOVE_ZERO = 1e-4
"""A log-probability is at most 0; sums over large vocabularies may end this much above."""


class BadAnswer(Exception):
    """An answer that isn't one to what was asked; it is asked for again."""


@dataclass(frozen=True)
class Asked:
    """A request on its way: what the answer is held to."""

    identifier: str
    prompt: tuple[int, ...]
    max_tokens: int
    stop_ids: frozenset[int]
    version: int


def ask(
    request: Request, sampling: Sampling, context_length: int, version: int, identifier: str
) -> tuple[Asked, dict[str, Any]]:
    """What the answer to `request` is held to, and the body that asks for it.

    Args:
        version: of the policy that is to answer.
        identifier: unique; the server sends it back.
    """
    limits = [sampling.max_new_tokens, context_length - len(request.prompt)]
    if request.max_new_tokens is not None:
        limits.append(request.max_new_tokens)
    asked = Asked(identifier, tuple(request.prompt), min(limits), frozenset(sampling.stop_ids), version)
    body = {
        "prompt": list(request.prompt),
        "max_tokens": asked.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "n": 1,
        "seed": request.seed % (1 << _SEED_BITS),
        "stop_token_ids": list(sampling.stop_ids),
        "ignore_eos": True,  # only the stop ids above end a response
        "logprobs": 0,
        "add_special_tokens": False,
        "return_token_ids": True,
        "return_tokens_as_token_ids": True,
        "return_weight_versions": True,
        "request_id": identifier,
    }
    return asked, body


def unfit_prompt(requests: Sequence[Request], context_length: int) -> str | None:
    """What is wrong with the first prompt that is empty or leaves no room for a single token."""
    for index, request in enumerate(requests):
        if not 0 < len(request.prompt) < context_length:
            return f"prompt {index} has {len(request.prompt)} tokens, the context holds {context_length}"
    return None


def read(answer: Any, asked: Asked) -> Response:
    """The response in a server's answer.

    Raises:
        BadAnswer: it belongs to another request, isn't whole, or was drawn by another policy.
    """
    if not isinstance(answer, dict):
        raise BadAnswer("the answer is no object")
    if answer.get("id") != f"cmpl-{asked.identifier}":
        raise BadAnswer(f"the answer is to {answer.get('id')!r}, not to {asked.identifier!r}")
    choices = answer.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        raise BadAnswer(f"{len(choices) if isinstance(choices, list) else 'no'} choices where one was asked for")
    choice = choices[0]
    if choice.get("prompt_token_ids") != list(asked.prompt):
        raise BadAnswer("the answer is to another prompt")
    tokens = _tokens(choice.get("token_ids"))
    stopped = _stopped(tokens, choice.get("finish_reason"), asked)
    logprobs = _logprobs(choice.get("logprobs"), tokens)
    _check_version(choice.get("weight_versions"), len(tokens), asked.version)
    return Response(tokens, logprobs, stopped, asked.version)


def _tokens(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not value or not all(type(token) is int and token >= 0 for token in value):
        raise BadAnswer("the answer has no token ids")
    return tuple(value)


def _stopped(tokens: tuple[int, ...], reason: Any, asked: Asked) -> bool:
    """Whether a stop token ended the response; how it ended must be one of the two ways that there are."""
    if len(tokens) > asked.max_tokens:
        raise BadAnswer(f"{len(tokens)} tokens where {asked.max_tokens} were asked for")
    if any(token in asked.stop_ids for token in tokens[:-1]):
        raise BadAnswer("the response goes on after a stop token")
    stopped = tokens[-1] in asked.stop_ids
    expected = "stop" if stopped else "length"
    if reason != expected or (not stopped and len(tokens) != asked.max_tokens):
        raise BadAnswer(f"the response ends after {len(tokens)} tokens with finish_reason {reason!r}")
    return stopped


def _logprobs(value: Any, tokens: tuple[int, ...]) -> tuple[float, ...]:
    if not isinstance(value, dict):
        raise BadAnswer("the answer has no log-probabilities")
    found, named = value.get("token_logprobs"), value.get("tokens")
    if not isinstance(found, list) or len(found) != len(tokens):
        raise BadAnswer(f"{len(found) if isinstance(found, list) else 'no'} log-probabilities of {len(tokens)} tokens")
    if named != [f"token_id:{token}" for token in tokens]:
        raise BadAnswer("the log-probabilities are of other tokens")
    if not all(type(one) in (int, float) and math.isfinite(one) and one <= _ABOVE_ZERO for one in found):
        raise BadAnswer("a log-probability isn't a number up to 0")
    return tuple(min(0.0, float(one)) for one in found)


def _check_version(spans: Any, tokens: int, version: int) -> None:
    """Every token was drawn by policy `version`."""
    if not isinstance(spans, list) or not all(isinstance(span, dict) for span in spans):
        raise BadAnswer("the answer doesn't say which weights drew it (vLLM 0.33 does)")
    end = 0
    for span in spans:
        if span.get("version") != str(version):
            raise BadAnswer(f"drawn by policy {span.get('version')!r}, not {version}")
        if span.get("start") != end:
            raise BadAnswer("the weight versions don't cover the response")
        end = span.get("end")
    if end != tokens:
        raise BadAnswer("the weight versions don't cover the response")
