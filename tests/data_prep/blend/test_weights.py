"""Weights by source and by domain."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.blend.weights import blend_sources, resolve_weights
from data_prep.errors import DataError, UsageError

DOMAINS = {"web": "general", "proofs": "math", "sums": "math", "traces": "math", "python": "code"}
TOKENS = {"web": 1_000, "proofs": 300, "sums": 100, "traces": 50, "python": 70}


def test_a_domain_is_spread_over_its_sources_by_their_tokens() -> None:
    assert resolve_weights({"web": 20, "domain:math": 80}, DOMAINS, {**TOKENS, "traces": 400}) == pytest.approx(
        {"web": 20, "proofs": 30, "sums": 10, "traces": 40}
    )


def test_a_source_that_the_blend_names_takes_no_part_in_its_domains_percent() -> None:
    resolved = resolve_weights({"domain:math": 60, "traces": 40}, DOMAINS, TOKENS)
    assert resolved == pytest.approx({"proofs": 45, "sums": 15, "traces": 40})
    assert list(resolved) == ["proofs", "sums", "traces"]


def test_a_source_without_tokens_takes_none_of_its_domains_percent() -> None:
    assert resolve_weights({"domain:math": 100}, DOMAINS, {**TOKENS, "sums": 0, "traces": 0}) == {"proofs": 100}


@pytest.mark.parametrize("weight", [0, -1, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("key", ["web", "domain:math"])
def test_a_weight_that_is_no_number_above_0_is_refused_by_name(key: str, weight: float) -> None:
    with pytest.raises(UsageError, match=rf"^data\.blends\.b: the weight of {key} is .*not a number above 0"):
        resolve_weights({key: weight}, DOMAINS, TOKENS, "data.blends.b")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"wed": 100}, "unknown source wed.*known: web, proofs"),
        ({"domain:maths": 100}, "no source is of domain 'maths'.*known domains: general, math, code"),
        ({"domain:": 100}, "no source is of domain ''"),
        ({"python": 50, "domain:code": 50}, "names every source of domain code itself"),
    ],
)
def test_what_a_blend_names_in_vain_is_refused_by_name(weights: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve_weights(weights, DOMAINS, TOKENS)


@pytest.mark.parametrize(
    ("weights", "tokens", "message"),
    [
        ({"web": 100}, {}, "tokens of web aren't known"),
        ({"domain:math": 100}, {"proofs": 5}, "tokens of sums aren't known"),
        ({"web": 100}, {"web": 0}, "web has no tokens"),
        ({"domain:code": 100}, {"python": 0}, "domain:code has no tokens"),
    ],
)
def test_a_source_whose_tokens_are_unknown_or_none_is_refused(
    weights: dict[str, float], tokens: dict[str, int], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        resolve_weights(weights, DOMAINS, tokens)


@given(
    st.dictionaries(
        st.sampled_from(["web", "proofs", "sums", "python", "domain:math", "domain:general", "domain:code"]),
        st.floats(1e-6, 100),
        min_size=1,
    ),
    st.lists(st.integers(1, 10**12), min_size=len(TOKENS), max_size=len(TOKENS)),
)
def test_resolving_keeps_the_sum_and_names_every_source_once(weights: dict[str, float], sizes: list[int]) -> None:
    available = dict(zip(TOKENS, sizes, strict=True))
    try:
        resolved = resolve_weights(weights, DOMAINS, available)
    except UsageError as error:
        assert "names every source of domain" in str(error)
        return
    assert math.fsum(resolved.values()) == pytest.approx(math.fsum(weights.values()))
    assert list(resolved) == blend_sources(weights, DOMAINS)
    assert all(resolved[name] == weight for name, weight in weights.items() if name in DOMAINS)
