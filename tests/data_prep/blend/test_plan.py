"""The forecast of a blend: tokens, epochs, when a source begins again, and the gate."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.blend.plan import BlendPlan, check_epochs, plan_blend, refusal, step_at
from data_prep.errors import GateRefused, UsageError

DOMAINS = {"web": "general", "proofs": "math", "sums": "math"}
TOKENS = {"web": 1_000, "proofs": 200, "sums": 50}


def plan(budget: int = 1_000) -> BlendPlan:
    return plan_blend("mix", {"web": 40, "proofs": 50, "sums": 10}, TOKENS, DOMAINS, budget)


def test_tokens_are_weight_times_budget_and_epochs_tokens_over_what_there_is() -> None:
    found = [(source.name, source.tokens, source.epochs) for source in plan().sources]
    assert found == [("web", 400, 0.4), ("proofs", 500, 2.5), ("sums", 100, 2.0)]


def test_domains_are_the_sums_of_their_sources() -> None:
    assert [(domain.name, domain.weight_percent, domain.tokens) for domain in plan().domains] == [
        ("general", 40, 400),
        ("math", 60, 600),
    ]


def test_a_source_begins_again_when_its_share_of_the_run_has_used_it_up() -> None:
    # proofs: 200 tokens at half of the stream; sums: 50 at a tenth; web isn't gone through.
    assert [(end, source.name) for end, source in plan().runs_out()] == [(400, "proofs"), (500, "sums")]
    assert plan().first_epoch_ends(plan().sources[0]) is None


def test_a_step_is_counted_from_one_and_ends_with_its_last_token() -> None:
    assert [step_at(tokens, 100) for tokens in (1, 100, 101, 1_000)] == [1, 1, 2, 10]


@given(st.integers(1, 10**12), st.floats(0.001, 100), st.integers(1, 10**12))
def test_the_first_epoch_ends_within_the_run_exactly_when_there_is_a_whole_one(
    budget: int, weight: float, available: int
) -> None:
    planned = plan_blend("one", {"web": weight}, {"web": available}, DOMAINS, budget)
    end = planned.first_epoch_ends(planned.sources[0])
    assert (end is not None) == (planned.sources[0].epochs >= 1)
    assert end is None or 0 < end <= budget


def test_a_domain_in_a_blend_is_planned_as_its_sources_that_end_an_epoch_together() -> None:
    planned = plan_blend("mix", {"web": 40, "domain:math": 60}, TOKENS, DOMAINS, 10_000)
    assert [source.name for source in planned.sources] == ["web", "proofs", "sums"]
    assert planned.sources[1].epochs == planned.sources[2].epochs == 24


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="a budget of 0 tokens"):
        plan(0)


def test_the_gate_lets_through_what_is_at_the_limit() -> None:
    check_epochs(plan(), None)
    check_epochs(plan(), 2.5)
    assert refusal(plan(), 2.5) is None


def test_the_gate_names_every_source_that_is_repeated_too_often_and_three_ways_out() -> None:
    with pytest.raises(GateRefused) as caught:
        check_epochs(plan(), 1.5, tokens_per_step=100)
    assert caught.value.exit_code == 3
    text = str(caught.value)
    assert text.startswith("data.blends.mix: would be seen more than 1.5 times")
    assert "proofs 2.50 times, sums 2.00 times" in text
    # 1.5 x 200 and 1.5 x 50 of 1,000 tokens; the 22.5 percent that are freed go to web.
    assert "(a) cap and spread the rest:\n  data: {blends: {mix: {web: 62.5, proofs: 30, sums: 7.5}}}" in text
    assert "(b) train on at most 600 tokens of it, 6 steps" in text
    assert "(c) set data.max_epochs to 2.5" in text


def test_planning_needs_the_standard_library_only() -> None:
    code = (
        "import sys; before = set(sys.modules); import data_prep.blend.plan;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(*sorted(new - set(sys.stdlib_module_names) - {'data_prep'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
