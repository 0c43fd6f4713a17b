"""What a step's rollouts say: rewards, pass rates, lengths."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median
from typing import Any

from prism.rl.prompt_draw import prompt_name
from prism.rl.rollout import Rollout

_SOLVE_RATES = ("none", "up to 1/4", "up to 1/2", "up to 3/4", "below 1", "all")
_HARD = 1
"""Prompts that the starting model solved so many times or fewer are followed (Figure 10)."""


def summarise(rollouts: Sequence[Rollout], group_size: int) -> dict[str, Any]:
    """Means over responses, overall and by domain; rates are fractions. Groups are contiguous."""
    by_domain: dict[str, list[Rollout]] = {}
    for rollout in rollouts:
        by_domain.setdefault(rollout.prompt.domain, []).append(rollout)
    by_domain = dict(sorted(by_domain.items()))
    lengths = [len(r.response.tokens) for r in rollouts]
    hard = _hard_prompts(rollouts)
    groups = [rollouts[start : start + group_size] for start in range(0, len(rollouts), group_size)]
    return {
        "reward": _mean([r.judged.reward for r in rollouts]),
        "reward_by_domain": {name: _mean([r.judged.reward for r in rows]) for name, rows in by_domain.items()},
        "reward_by_term": {
            name: _mean([r.judged.terms.get(name, 0.0) for r in rollouts])
            for name in dict.fromkeys(name for r in rollouts for name in r.judged.terms)
        },
        "pass_rate": _mean([r.judged.solved for r in rollouts]),
        "pass_rate_by_domain": {name: _mean([r.judged.solved for r in rows]) for name, rows in by_domain.items()},
        "pass_rate_by_difficulty": {
            name: sum(right for right, _ in counts.values()) / sum(responses for _, responses in counts.values())
            for name, counts in hard.items()
        },
        "hard_prompts": hard,
        "solve_rates": solve_rates([sum(r.judged.solved for r in group) / len(group) for group in groups]),
        "format_rate": _mean([r.judged.verdict.formatted for r in rollouts]),
        "stop_rate": _mean([r.response.stopped for r in rollouts]),
        "truncation_rate": _mean([not r.response.stopped for r in rollouts]),
        "response_length": _mean(lengths),
        "response_length_median": float(median(lengths)),
        "response_length_max": max(lengths),
    }


def solve_rates(rates: Sequence[float]) -> dict[str, float]:
    """Share of groups by the share of their responses that are right."""
    counts = dict.fromkeys(_SOLVE_RATES, 0)
    for rate in rates:
        if rate in (0.0, 1.0):
            counts["none" if rate == 0 else "all"] += 1
        else:
            counts[_SOLVE_RATES[1 + min(3, int(-(-rate * 4 // 1)) - 1)]] += 1
    return {name: count / len(rates) for name, count in counts.items()}


def _hard_prompts(rollouts: Sequence[Rollout]) -> dict[str, dict[str, list[int]]]:
    """Right responses and responses of the prompts that the starting model never or hardly ever solved, by name: under
    "0/16" and "1/16"."""
    found: dict[str, dict[str, list[int]]] = {}
    for rollout in rollouts:
        before, samples = rollout.prompt.correct_before, rollout.prompt.samples_before
        if before is not None and samples and before <= _HARD:
            name = f"{rollout.prompt.domain}/{prompt_name(rollout.prompt)}"  # sets of two domains may share ids
            counts = found.setdefault(f"{before}/{samples}", {}).setdefault(name, [0, 0])
            counts[0] += rollout.judged.solved
            counts[1] += 1
    return dict(sorted(found.items()))


def _mean(values: Sequence[float]) -> float:
    return float(fmean(values))


def sample_rows(step: int, rollouts: Sequence[Rollout], count: int) -> list[dict[str, Any]]:
    """A few responses to read: the first of each of the first `count` prompts."""
    seen: set[str] = set()
    rows: list[dict[str, Any]] = []
    for rollout in rollouts:
        if rollout.prompt.question in seen or len(rows) == count:
            continue
        seen.add(rollout.prompt.question)
        rows.append(
            {
                "step": step,
                "domain": rollout.prompt.domain,
                "prompt": rollout.prompt.question,
                "answer": rollout.prompt.row.get("answer"),
                "response": rollout.text,
                "reward": rollout.judged.reward,
                "terms": dict(rollout.judged.terms),
                "correct": rollout.judged.solved,
            }
        )
    return rows
