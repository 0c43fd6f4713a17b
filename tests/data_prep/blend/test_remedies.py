"""The remedies that a refused blend is given are computed, and they work."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from data_prep.blend.plan import BlendPlan, check_epochs, plan_blend, refusal
from data_prep.blend.remedies import Refusal, cap_weights, rounded


@st.composite
def blends(draw: st.DrawFn) -> tuple[BlendPlan, float]:
    """A blend of 1 to 8 sources of 3 domains, and a limit of epochs."""
    count = draw(st.integers(1, 8))
    names = [f"s{number}" for number in range(count)]
    shares = draw(st.lists(st.integers(1, 1_000), min_size=count, max_size=count))
    weights = {name: 100 * share / sum(shares) for name, share in zip(names, shares, strict=True)}
    domains = {name: draw(st.sampled_from("abc")) for name in names}
    available = {name: draw(st.integers(1_000, 10**11)) for name in names}
    return plan_blend("mix", weights, available, domains, draw(st.integers(10_000, 10**12))), draw(st.floats(0.1, 20))


def refused(case: tuple[BlendPlan, float]) -> tuple[BlendPlan, Refusal]:
    found = refusal(*case)
    assume(found is not None)
    assert found is not None
    return case[0], found


def replanned(plan: BlendPlan, weights: dict[str, float], budget: int | None = None) -> BlendPlan:
    return plan_blend(
        plan.blend,
        weights,
        {source.name: source.available for source in plan.sources},
        {source.name: source.domain for source in plan.sources},
        budget or plan.budget_tokens,
    )


@given(blends())
def test_the_capped_blend_sums_to_100_and_is_let_through_as_pasted(case: tuple[BlendPlan, float]) -> None:
    plan, found = refused(case)
    text = found.yaml()
    if text is None:
        assert found.reachable_tokens < plan.budget_tokens
        return
    pasted = yaml.safe_load(text)["data"]["blends"]["mix"]
    assert pasted == found.capped
    assert sum(pasted.values()) == pytest.approx(100, abs=1e-6)
    check_epochs(replanned(plan, pasted), case[1])


@given(blends())
def test_sources_below_the_cap_keep_their_proportion_within_a_domain_and_dont_shrink(
    case: tuple[BlendPlan, float],
) -> None:
    plan, limit = case
    caps = {source.name: source.available * limit / plan.budget_tokens * 100 for source in plan.sources}
    weights = {source.name: source.weight_percent for source in plan.sources}
    domains = {source.name: source.domain for source in plan.sources}
    assume(sum(caps.values()) >= 100)
    capped = cap_weights(weights, domains, caps)
    assert math.fsum(capped.values()) == pytest.approx(100)
    assert all(capped[name] <= caps[name] for name in capped)
    for domain in set(domains.values()):
        free = [name for name in capped if domains[name] == domain and capped[name] < caps[name] * (1 - 1e-9)]
        factors = [capped[name] / weights[name] for name in free]
        assert all(factor == pytest.approx(factors[0]) and factor >= 1 - 1e-9 for factor in factors)


@given(blends())
def test_the_largest_budget_is_let_through_and_a_larger_one_is_not(case: tuple[BlendPlan, float]) -> None:
    plan, found = refused(case)
    weights = {source.name: source.weight_percent for source in plan.sources}
    assert 0 < found.largest_budget < plan.budget_tokens
    check_epochs(replanned(plan, weights, found.largest_budget), case[1])
    # Tokens are whole: the next one that makes a source go over comes within one token of the smallest weight.
    slack = math.ceil(100 / min(weights.values())) + 1
    assert refusal(replanned(plan, weights, found.largest_budget + slack), case[1]) is not None


@given(blends())
def test_the_limit_that_is_named_lets_the_plan_through(case: tuple[BlendPlan, float]) -> None:
    plan, found = refused(case)
    check_epochs(plan, found.needed_epochs)
    assert found.needed_epochs == pytest.approx(max(found.epochs.values()), abs=0.0101)


def test_what_is_freed_stays_in_the_domain_while_it_has_room() -> None:
    weights = {"web": 40.0, "proofs": 30.0, "sums": 20.0, "traces": 10.0}
    domains = {"web": "general", "proofs": "math", "sums": "math", "traces": "math"}
    caps = {"web": 100.0, "proofs": 100.0, "sums": 100.0, "traces": 5.0}
    assert cap_weights(weights, domains, caps) == pytest.approx({"web": 40, "proofs": 33, "sums": 22, "traces": 5})
    narrow = {**caps, "proofs": 31.0, "sums": 21.0}
    assert cap_weights(weights, domains, narrow) == pytest.approx({"web": 43, "proofs": 31, "sums": 21, "traces": 5})


def test_sources_that_are_too_small_together_are_said_to_be() -> None:
    plan = plan_blend("mix", {"a": 50, "b": 50}, {"a": 100, "b": 150}, {"a": "x", "b": "x"}, 1_000)
    found = refusal(plan, 2)
    assert found is not None and found.yaml() is None
    assert "all sources together give 500 tokens at 2 epochs, 1,000 are wanted" in found.remedy()
    assert "(b) train on at most 400 tokens" in found.remedy()


def test_names_that_yaml_would_take_for_something_else_are_quoted() -> None:
    plan = plan_blend("no", {"1e3": 90, "a b": 10}, {"1e3": 50, "a b": 900}, {"1e3": "x", "a b": "y"}, 100)
    found = refusal(plan, 1)
    assert found is not None
    assert yaml.safe_load(found.yaml() or "") == {"data": {"blends": {"no": {"1e3": 50, "a b": 50}}}}
    assert 'data: {blends: {"no": {"1e3": 50, "a b": 50}}}' in found.remedy()


def test_a_share_too_small_for_few_decimals_gets_more_of_them() -> None:
    assert rounded({"a": 99.999995, "b": 0.000005}, {"a": 100, "b": 1}) == {"a": 99.999995, "b": 0.000005}
