"""`rl.rewards`: what a response is worth, a term a key; the reward is the sum of weight times term.

A term is switched off by weight 0: `--set rl.rewards.repetition.weight=0`.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from prism.recipe.schema.base import Section

Gate = Literal["format", "stop"]
Gates = tuple[Gate, ...]

_BEHIND = (
    "Gates that a response must pass for the term to count. format: it has the form <think> ... </think> answer. "
    "stop: it ended with its stop token."
)


class _Bonus(Section):
    weight: float = Field(0.0, ge=0, description="Added where the term is 1.")
    behind: Gates = Field((), description=_BEHIND)


class _Penalty(Section):
    weight: float = Field(0.0, le=0, description="Added where the term is 1: negative, or 0 for none.")
    behind: Gates = Field((), description=_BEHIND)


class CorrectTerm(_Bonus):
    """1 for a right answer."""

    weight: float = Field(1.0, ge=0, description="Added for a right answer (section 9).")
    behind: Gates = Field(("format", "stop"), description=f"{_BEHIND} A right answer alone is worth 0 (section 9).")


class FormatTerm(_Bonus):
    """1 for the form <think> ... </think> answer, whatever the answer."""

    weight: float = Field(0.0, ge=0, description="Added for the right form; the paper's reward has no such term.")


class MissingStopTerm(_Penalty):
    """1 for a response that was cut off before its stop token."""

    weight: float = Field(-0.1, le=0, description="Added without a stop token: negative, or 0 for none (section 9).")


class RepetitionTerm(_Penalty):
    """1 for a response that repeats itself."""

    weight: float = Field(-0.1, le=0, description="Added for a repetition: negative, or 0 for none (section 9).")
    run_tokens: int = Field(8, ge=1, description="Length of the runs of tokens that are counted.")
    times: int = Field(3, ge=2, description="Occurrences from which such a run is a repetition; they may overlap.")
    share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Smallest share of the response's tokens that repeated runs cover for the term to be 1, so that "
        "phrases which come again in a long argument cost nothing. 0: a single repeated run is enough.",
    )


class OverlongTerm(_Penalty):
    """Rises from 0 at `from_tokens` to 1 at `to_tokens`, in a straight line."""

    from_tokens: int = Field(12_288, ge=0, description="Longest response that costs nothing, in tokens.")
    to_tokens: int = Field(16_384, gt=0, description="Shortest response that costs the whole weight, in tokens.")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.from_tokens >= self.to_tokens:
            raise ValueError(f"from_tokens ({self.from_tokens}) must be smaller than to_tokens ({self.to_tokens})")
        return self


class RewardsConfig(Section):
    """Correctness behind the gates, less penalties that lie outside of them (section 9)."""

    correct: CorrectTerm = Field(default_factory=CorrectTerm, description="A right answer.")
    format: FormatTerm = Field(default_factory=FormatTerm, description="The right form, whatever the answer.")
    missing_stop: MissingStopTerm = Field(default_factory=MissingStopTerm, description="No stop token.")
    repetition: RepetitionTerm = Field(default_factory=RepetitionTerm, description="The same again and again.")
    overlong: OverlongTerm = Field(default_factory=OverlongTerm, description="A response near the longest allowed.")
