"""What every generator and every language model offers, whatever runs beneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from prism.generate.stop_texts import StopTexts

Tokens = Sequence[int]


@dataclass(frozen=True)
class Request:
    """A prompt to answer.

    seed: names the sample's own stream of random numbers, 64 bits (see `prism.generate.sampling.sample_seed`): token
        after token is drawn from it, whatever else is in the batch.
    max_new_tokens: of this response, where it is fewer than the sampling's.
    """

    prompt: Tokens
    seed: int
    max_new_tokens: int | None = None


@dataclass(frozen=True)
class Sampling:
    """How to draw tokens. Temperature 0 is greedy; `stop_ids` end a response."""

    temperature: float
    top_p: float
    max_new_tokens: int
    stop_ids: tuple[int, ...]


@dataclass(frozen=True)
class Response:
    """Drawn tokens, the stop token included when `stopped`, and the log-probability of each at temperature 1.

    policy_version: of the weights that drew it, the number of updates that they have seen; 0 where nobody counts.
    """

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    stopped: bool
    policy_version: int = 0


@dataclass(frozen=True)
class Scored:
    """Of a continuation: log p(continuation | context) in nats, and whether greedy decoding would say it."""

    logprob: float
    greedy: bool


class Generator(Protocol):
    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Response]:
        """One response a request, in order. The same arguments give the same responses."""
        ...


class LanguageModel(Generator, Protocol):
    """A generator that can also be asked about given text."""

    @property
    def context_length(self) -> int:
        """Most tokens that a sequence may have."""
        ...

    def logprobs(self, sequences: Sequence[Tokens]) -> list[list[float]]:
        """Log-probability of each token given those before it; the first has none: len(sequence) - 1 values."""
        ...

    def hidden_states(self, sequences: Sequence[Tokens]) -> Tensor:
        """Mean over positions of every layer's output, shape (layers, sequences, hidden), float64."""
        ...


class ScoringModel(LanguageModel, Protocol):
    """A language model that evaluation harnesses can ask: continuations of contexts, and texts that end responses."""

    def score(self, contexts: Sequence[Tokens], continuations: Sequence[Tokens]) -> list[Scored]:
        """Each continuation after its context. The last token of a pair is never read, so that a pair may have
        `context_length` + 1 tokens. Neither side may be empty.
        """
        ...

    def generate_until(self, requests: Sequence[Request], sampling: Sampling, until: StopTexts) -> list[Response]:
        """As `generate`; a response also ends soon after it contains one of the texts, which stay in it."""
        ...
