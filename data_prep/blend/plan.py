"""Forecast of a blend: what it takes from each source at a token budget. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from data_prep.errors import GateRefused


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
class BlendPlan:
    """What a blend takes from each source at a token budget."""

    blend: str
    budget_tokens: int
    sources: tuple[PlannedSource, ...]


def plan_blend(
    blend: str,
    weights_percent: Mapping[str, float],
    available: Mapping[str, int],
    domains: Mapping[str, str],
    budget_tokens: int,
) -> BlendPlan:
    """tokens = weight x budget, epochs = tokens / available, source by source, in the blend's order."""
    planned = []
    for name, weight in weights_percent.items():
        tokens = round(weight / 100 * budget_tokens)
        epochs = tokens / available[name] if available[name] else float("inf")
        planned.append(PlannedSource(name, domains[name], weight, tokens, available[name], epochs))
    return BlendPlan(blend, budget_tokens, tuple(planned))


def check_epochs(plan: BlendPlan, max_epochs: float | None) -> None:
    """Raises GateRefused when a source would be repeated more often than `max_epochs`."""
    if max_epochs is None:
        return
    for source in plan.sources:
        if source.epochs > max_epochs:
            weight = source.weight_percent * max_epochs / source.epochs
            raise GateRefused(
                f"{source.name} would be seen {source.epochs:.1f} times, data.max_epochs is {max_epochs:g}",
                place=f"data.blends.{plan.blend}",
                remedy=f"lower its weight to {weight:.2f} percent, train on fewer tokens, or raise data.max_epochs",
            )
