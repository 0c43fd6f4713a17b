"""From verdict to reward (paper section 9): pure functions of a response."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from prism.score.verdict import Verdict

_NGRAM = 4
_TIMES = 3


def reward(
    verdict: Verdict, stopped: bool, tokens: Sequence[int], stop_penalty: float, repetition_penalty: float
) -> float:
    """1 for a right answer in the right form that ends with its stop token, else 0, less the penalties.

    The penalties lie outside the format gate, so that malformed responses still differ from each other.
    """
    correct = verdict.correct and verdict.formatted and stopped
    return float(correct) - stop_penalty * (not stopped) - repetition_penalty * repeats(tokens)


def repeats(tokens: Sequence[int]) -> bool:
    """Whether some run of four tokens occurs three times or more."""
    runs = Counter(tuple(tokens[start : start + _NGRAM]) for start in range(len(tokens) - _NGRAM + 1))
    return any(count >= _TIMES for count in runs.values())
