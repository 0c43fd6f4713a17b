"""Weights of a blend, by source or by domain, resolved to sources. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Mapping

from data_prep.errors import DataError, UsageError

DOMAIN = "domain:"
"""`domain:math` stands for the sources of the domain that the blend doesn't name itself."""


def resolve_weights(
    weights: Mapping[str, float],
    domains: Mapping[str, str],
    available: Mapping[str, int],
    place: str = "the blend",
) -> dict[str, float]:
    """Percent by source, in the blend's order.

    A domain's percent is spread over its sources in proportion to their tokens, so all of them end an epoch at the
    same time; a source without tokens takes none of it.

    Args:
        weights: percent by source name or `domain:<name>`.
        domains: the domain of every source that there is.
        available: tokens by source, of every source that the blend takes.

    Raises:
        UsageError: a weight isn't a number above 0, a source or domain is unknown, or a domain has no sources left.
        DataError: the tokens of a source aren't known, or it has none.
    """
    resolved: dict[str, float] = {}
    for key, weight in weights.items():
        if not is_weight(weight):
            raise UsageError(
                f"the weight of {key} is {weight:g}, not a number above 0", place=place, remedy="leave it out"
            )
        names = sources_of(key, weights, domains, place)
        unknown = [name for name in names if name not in available]
        if unknown:
            raise DataError(
                f"the tokens of {unknown[0]} aren't known: it isn't prepared", place=place, remedy="prepare it first"
            )
        total = sum(available[name] for name in names)
        if not total:
            raise DataError(f"{key} has no tokens", place=place, remedy="leave it out, or look at its filters")
        for name in names:
            if available[name]:
                resolved[name] = weight * (available[name] / total)
    return resolved


def is_weight(weight: float) -> bool:
    """Whether it is a number above 0."""
    return math.isfinite(weight) and weight > 0


def blend_sources(weights: Mapping[str, float], domains: Mapping[str, str], place: str = "the blend") -> list[str]:
    """Every source that the blend takes, in its order. Raises UsageError as `resolve_weights` does."""
    return [name for key in weights for name in sources_of(key, weights, domains, place)]


def sources_of(
    key: str, weights: Mapping[str, float], domains: Mapping[str, str], place: str = "the blend"
) -> list[str]:
    """The sources that a key of the blend stands for.

    Raises:
        UsageError: the source or domain is unknown, or the blend names all sources of the domain itself.
    """
    if not key.startswith(DOMAIN):
        if key not in domains:
            raise UsageError(f"unknown source {key}", place=place, remedy=f"known: {', '.join(domains) or 'none'}")
        return [key]
    domain = key.removeprefix(DOMAIN)
    every = [name for name, its in domains.items() if its == domain]
    if not every:
        known = ", ".join(dict.fromkeys(domains.values())) or "none"
        raise UsageError(f"no source is of domain {domain!r}", place=place, remedy=f"known domains: {known}")
    left = [name for name in every if name not in weights]
    if not left:
        raise UsageError(
            f"the blend names every source of domain {domain} itself", place=place, remedy=f"leave {key} out"
        )
    return left
