from __future__ import annotations

import pytest

from prism.generate.protocol import Response
from prism.rl.metrics import sample_rows, solve_rates, summarise
from prism.rl.prompts import RlPrompt
from prism.rl.rollout import Rollout
from prism.score.rewards import Judged
from prism.score.verdict import Verdict


def rollout(domain: str, question: str, right: bool, length: int, before: int | None = None) -> Rollout:
    stopped = length < 9
    judged = Judged(
        Verdict(right, True, None), {"correct": float(right), "missing_stop": -0.1 * (not stopped)}, stopped
    )
    samples = None if before is None else 16
    prompt = RlPrompt(domain, question, {"answer": 1}, before, samples)
    return Rollout(prompt, (1,), Response((1,) * length, (-1.0,) * length, stopped), "text", judged)


GROUPS = [
    *[rollout("math", "a", right, length, 1) for right, length in ((True, 2), (True, 4), (False, 9), (False, 5))],
    *[rollout("code", "b", False, 4, 0) for _ in range(4)],
    *[rollout("code", "c", True, 4, 9) for _ in range(4)],
]


def test_a_steps_metrics_are_means_over_responses_and_domains() -> None:
    row = summarise(GROUPS, 4)
    assert row["pass_rate"] == pytest.approx(6 / 12)
    assert row["pass_rate_by_domain"] == {"code": 0.5, "math": 0.5}
    assert row["reward_by_term"] == {"correct": pytest.approx(0.5), "missing_stop": pytest.approx(-0.1 / 12)}
    assert row["reward"] == pytest.approx(sum(row["reward_by_term"].values()))
    assert row["truncation_rate"] == pytest.approx(1 / 12)
    assert (row["response_length_median"], row["response_length_max"]) == (4.0, 9)


def test_hard_prompts_are_followed_by_what_the_starting_model_made_of_them() -> None:
    row = summarise(GROUPS, 4)
    assert row["pass_rate_by_difficulty"] == {"0/16": 0.0, "1/16": 0.5}
    counts = {before: list(prompts.values()) for before, prompts in row["hard_prompts"].items()}
    assert counts == {"0/16": [[0, 4]], "1/16": [[2, 4]]}
    assert len({name for prompts in row["hard_prompts"].values() for name in prompts}) == 2


def test_groups_are_counted_by_their_solve_rate() -> None:
    rates = solve_rates([0.0, 1 / 16, 0.25, 0.26, 0.5, 0.75, 15 / 16, 1.0])
    assert rates == {
        "none": 1 / 8, "up to 1/4": 2 / 8, "up to 1/2": 2 / 8, "up to 3/4": 1 / 8, "below 1": 1 / 8, "all": 1 / 8,
    }  # fmt: skip


def test_samples_are_of_different_prompts() -> None:
    rows = sample_rows(3, GROUPS, 2)
    assert [row["prompt"] for row in rows] == ["a", "b"]
    assert rows[0]["terms"] == {"correct": 1.0, "missing_stop": -0.0}
