"""How sure a model is of its responses, right ones and wrong ones (Table 15 and section 10 of the paper)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any, Protocol


class Response(Protocol):
    """A judged response. nll: mean -log p of its tokens at temperature 1, in nats; None where it isn't known."""

    @property
    def correct(self) -> bool: ...
    @property
    def tokens(self) -> int | None: ...
    @property
    def nll(self) -> float | None: ...


@dataclass(frozen=True)
class Split:
    """Some responses: how many, their median length in tokens, and the mean of their -log p a token, in nats."""

    responses: int
    median_tokens: float | None
    mean_nll: float | None


@dataclass(frozen=True)
class Confidence:
    """Of sampled responses. `pass_rate` is a fraction."""

    pass_rate: float
    overall: Split
    correct: Split
    incorrect: Split

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def confidence(responses: Sequence[Response]) -> Confidence | None:
    """None where no response tells its probability. A response whose -log p isn't finite counts in all but the mean."""
    if not any(one.nll is not None for one in responses):
        return None
    right, wrong = ([one for one in responses if one.correct is wanted] for wanted in (True, False))
    return Confidence(len(right) / len(responses), _split(responses), _split(right), _split(wrong))


def _split(responses: Sequence[Response]) -> Split:
    lengths = [one.tokens for one in responses if one.tokens is not None]
    values = [one.nll for one in responses if one.nll is not None and math.isfinite(one.nll)]
    return Split(len(responses), median(lengths) if lengths else None, fmean(values) if values else None)
