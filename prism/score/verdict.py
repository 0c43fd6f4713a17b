"""What a verifier says of a response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

PromptRow = Mapping[str, Any]
"""A line of a prompt set: `prompt`, `answer`, and `verifier` with its `kind` and settings."""


@dataclass(frozen=True)
class Verdict:
    """`formatted`: the response has the form <think> ... </think> answer. `correct` speaks of the answer alone."""

    correct: bool
    formatted: bool
    answer: str | None


class Verifier(Protocol):
    def __call__(self, rows: Sequence[PromptRow], answers: Sequence[str]) -> list[bool]:
        """Whether each answer is right; pure: the same rows and answers get the same verdicts."""
        ...
