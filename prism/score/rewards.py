"""From responses to rewards: a verdict, and what each term of `rl.rewards` adds (paper section 9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prism.recipe.schema.rewards import Gate, OverlongTerm, RepetitionTerm, RewardsConfig
from prism.score.penalties import overlong, repeats
from prism.score.verdict import PromptRow, Verdict
from prism.score.verify import verify


@dataclass(frozen=True)
class Answered:
    """A response to judge.

    text: decoded, without the stop token.
    tokens: of the response, the stop token included when it `stopped`.
    """

    row: PromptRow
    text: str
    tokens: Sequence[int]
    stopped: bool


@dataclass(frozen=True)
class Judged:
    """What a response is worth, and why.

    terms: what each reward term adds, its weight applied, by name. Terms of weight 0 aren't there.
    """

    verdict: Verdict
    terms: Mapping[str, float]
    stopped: bool = True

    @property
    def reward(self) -> float:
        """The sum of the terms."""
        return sum(self.terms.values())

    @property
    def solved(self) -> bool:
        """Right, well formed and ended: what pass rates count, whatever the terms' weights."""
        return self.verdict.correct and self.verdict.formatted and self.stopped


def judge(items: Sequence[Answered], rewards: RewardsConfig) -> list[Judged]:
    """Verdict and reward terms of each response, in order.

    Raises:
        BadInput: a prompt names no verifier, or an unknown one.
        PrismError: a verifier can't be started.
    """
    verdicts = verify([(item.row, item.text) for item in items])
    chosen = [(name, getattr(rewards, name), term) for name, term in TERMS.items()]
    chosen = [(name, config, term) for name, config, term in chosen if config.weight]
    return [
        Judged(
            verdict,
            {
                name: config.weight * term(item, verdict, config) + 0.0
                if _passes(item, verdict, config.behind)
                else 0.0
                for name, config, term in chosen
            },
            item.stopped,
        )
        for item, verdict in zip(items, verdicts, strict=True)
    ]


def _passes(item: Answered, verdict: Verdict, gates: Sequence[Gate]) -> bool:
    return ("format" not in gates or verdict.formatted) and ("stop" not in gates or item.stopped)


def _correct(item: Answered, verdict: Verdict, config: object) -> float:
    return float(verdict.correct)


def _format(item: Answered, verdict: Verdict, config: object) -> float:
    return float(verdict.formatted)


def _missing_stop(item: Answered, verdict: Verdict, config: object) -> float:
    return float(not item.stopped)


def _repetition(item: Answered, verdict: Verdict, config: RepetitionTerm) -> float:
    return float(repeats(item.tokens, run=config.run_tokens, times=config.times, share=config.share))


def _overlong(item: Answered, verdict: Verdict, config: OverlongTerm) -> float:
    return overlong(len(item.tokens), start=config.from_tokens, full=config.to_tokens)


TERMS: Mapping[str, Callable[[Answered, Verdict, Any], float]] = {
    "correct": _correct,
    "format": _format,
    "missing_stop": _missing_stop,
    "repetition": _repetition,
    "overlong": _overlong,
}
"""A term for each key of `rl.rewards`: from 0 to 1, from the response, its verdict and the term's own settings."""
