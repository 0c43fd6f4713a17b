"""Forecast of a blend: what it takes from each source at a token budget, and when. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from data_prep.blend import remedies
from data_prep.blend.remedies import Refusal, tokens_at
from data_prep.blend.weights import resolve_weights
from data_prep.errors import GateRefused, UsageError


@dataclass(frozen=True)
class PlannedSource:
    """A source's part in a blend: `tokens` at the budget, out of `available`, so many `epochs`."""

    name: str
    domain: str
    weight_percent: float
    tokens: int
    available: int
    epochs: float


@dataclass(frozen=True)
class PlannedDomain:
    """A domain's part in a blend, the sum of its sources."""

    name: str
    weight_percent: float
    tokens: int
    sources: tuple[PlannedSource, ...]


@dataclass(frozen=True)
class BlendPlan:
    """What a blend takes from each source at a token budget."""

    blend: str
    budget_tokens: int
    sources: tuple[PlannedSource, ...]

    @property
    def domains(self) -> tuple[PlannedDomain, ...]:
        """The domains in the order of their first sources."""
        members: dict[str, list[PlannedSource]] = {}
        for source in self.sources:
            members.setdefault(source.domain, []).append(source)
        return tuple(
            PlannedDomain(
                name,
                math.fsum(source.weight_percent for source in sources),
                sum(source.tokens for source in sources),
                tuple(sources),
            )
            for name, sources in members.items()
        )

    def first_epoch_ends(self, source: PlannedSource) -> int | None:
        """Tokens into the run at which the source has been seen once; None if the run ends before."""
        if source.epochs < 1:
            return None
        return min(math.ceil(source.available * 100 / source.weight_percent), self.budget_tokens)

    def runs_out(self) -> list[tuple[int, PlannedSource]]:
        """(tokens into the run, source) of the sources that begin again, the first to do so first."""
        ends = [(self.first_epoch_ends(source), source) for source in self.sources]
        return sorted(((end, source) for end, source in ends if end is not None), key=lambda pair: pair[0])


def plan_blend(
    blend: str,
    weights: Mapping[str, float],
    available: Mapping[str, int],
    domains: Mapping[str, str],
    budget_tokens: int,
) -> BlendPlan:
    """tokens = weight x budget, epochs = tokens / available, source by source, in the blend's order.

    Args:
        weights: percent by source or by `domain:<name>`, see `data_prep.blend.weights`.
        available: tokens by source; more sources than the blend's may be in it.
        domains: the domain of every source.

    Raises:
        UsageError: a weight isn't a number above 0, a source or domain is unknown, or the budget isn't above 0.
        DataError: the tokens of a source aren't known, or it has none.
    """
    place = f"data.blends.{blend}"
    if budget_tokens <= 0:
        raise UsageError(f"a budget of {budget_tokens:,} tokens", place=place, remedy="plan for at least one token")
    planned = []
    for name, weight in resolve_weights(weights, domains, available, place).items():
        tokens = tokens_at(weight, budget_tokens)
        planned.append(PlannedSource(name, domains[name], weight, tokens, available[name], tokens / available[name]))
    return BlendPlan(blend, budget_tokens, tuple(planned))


def step_at(tokens: int, tokens_per_step: int) -> int:
    """The training step, counted from 1, in which the run comes to its `tokens`-th token."""
    return -(-tokens // tokens_per_step)


def refusal(plan: BlendPlan, max_epochs: float | None) -> Refusal | None:
    """Why the plan is refused and what would do instead; None where it is fine or `max_epochs` is None."""
    if max_epochs is None:
        return None
    return remedies.refusal(
        plan.blend,
        {source.name: source.weight_percent for source in plan.sources},
        {source.name: source.domain for source in plan.sources},
        {source.name: source.available for source in plan.sources},
        plan.budget_tokens,
        max_epochs,
    )


def check_epochs(plan: BlendPlan, max_epochs: float | None, tokens_per_step: int | None = None) -> None:
    """Raises GateRefused, with computed remedies, when a source would be repeated more often than `max_epochs`."""
    refused = refusal(plan, max_epochs)
    if refused is not None:
        raise GateRefused(refused.message, place=f"data.blends.{plan.blend}", remedy=refused.remedy(tokens_per_step))
