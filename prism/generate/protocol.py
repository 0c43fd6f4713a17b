"""What every generator and every language model offers, whatever runs beneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

Tokens = Sequence[int]


@dataclass(frozen=True)
class Sampling:
    """How to draw tokens. Temperature 0 is greedy; `stop_ids` end a response."""

    temperature: float
    top_p: float
    max_new_tokens: int
    stop_ids: tuple[int, ...]


@dataclass(frozen=True)
class Response:
    """Drawn tokens, the stop token included when `stopped`, and the log-probability of each at temperature 1."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    stopped: bool


class Generator(Protocol):
    def generate(self, prompts: Sequence[Tokens], sampling: Sampling, seed: int) -> list[Response]:
        """One response a prompt, in order. The same arguments give the same responses."""
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
