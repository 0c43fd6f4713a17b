"""What a step's rollouts say: rewards, pass rates, lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prism.rl.rollout import Rollout


def summarise(rollouts: Sequence[Rollout]) -> dict[str, Any]:
    """Means over responses, overall and by domain; rates are fractions."""
    domains = sorted({rollout.prompt.domain for rollout in rollouts})
    by_domain = {domain: [r for r in rollouts if r.prompt.domain == domain] for domain in domains}
    return {
        "reward": _mean([r.reward for r in rollouts]),
        "reward_by_domain": {domain: _mean([r.reward for r in rows]) for domain, rows in by_domain.items()},
        "pass_rate": _mean([is_correct(r) for r in rollouts]),
        "pass_rate_by_domain": {domain: _mean([is_correct(r) for r in rows]) for domain, rows in by_domain.items()},
        "format_rate": _mean([r.verdict.formatted for r in rollouts]),
        "stop_rate": _mean([r.response.stopped for r in rollouts]),
        "response_length": _mean([len(r.response.tokens) for r in rollouts]),
    }


def is_correct(rollout: Rollout) -> bool:
    """Right, well formed and ended: what the reward counts."""
    return rollout.verdict.correct and rollout.verdict.formatted and rollout.response.stopped


def _mean(values: Sequence[float]) -> float:
    return float(sum(values) / len(values))


def sample_rows(step: int, rollouts: Sequence[Rollout], count: int) -> list[dict[str, Any]]:
    """A few responses for the report: the first of each of the first `count` groups."""
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
                "response": rollout.text,
                "reward": rollout.reward,
                "correct": is_correct(rollout),
            }
        )
    return rows
