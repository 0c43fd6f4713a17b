"""What each blend takes from each source, at the budget of the stages that trained on it."""

from __future__ import annotations

from dataclasses import dataclass

from prism.report.charts.svg import colour
from prism.report.results import Results
from prism.report.sections.palette import colours
from prism.report.shapes import BlendLock


@dataclass(frozen=True)
class BlendRow:
    """`tokens` seen at the budget out of `available`; `colour` is a class."""

    source: str
    domain: str
    description: str
    weight_percent: float
    tokens: float
    available: int
    epochs: float
    colour: str


@dataclass(frozen=True)
class BlendView:
    name: str
    budget_tokens: int
    stages: tuple[str, ...]
    rows: tuple[BlendRow, ...]


def blends(results: Results) -> tuple[BlendView, ...]:
    """One view for every blend and budget; a blend that no stage trained on yet has the budget of its lock."""
    tints = colours(results.recipe.data.sources)
    views = []
    for lock in _in_recipe_order(results):
        budgets: dict[int, list[str]] = {}
        for stage in results.stages.values():
            if stage.blend == lock.blend:
                budgets.setdefault(stage.tokens or lock.budget_tokens, []).append(stage.name)
        for budget, stages in (budgets or {lock.budget_tokens: []}).items():
            views.append(BlendView(lock.blend, budget, tuple(stages), _rows(results, lock, budget, tints)))
    return tuple(views)


def _in_recipe_order(results: Results) -> list[BlendLock]:
    used = [stage.blend for stage in results.stages.values() if stage.blend is not None]
    order = dict.fromkeys([*used, *results.blends])
    return [results.blends[name] for name in order if name in results.blends]


def _rows(results: Results, lock: BlendLock, budget: int, tints: dict[str, int]) -> tuple[BlendRow, ...]:
    known = results.recipe.data.sources
    rows = []
    for source in lock.sources:
        tokens = source.weight_percent / 100 * budget
        rows.append(
            BlendRow(
                source=source.name,
                domain=source.domain,
                description=known[source.name].description if source.name in known else "",
                weight_percent=source.weight_percent,
                tokens=tokens,
                available=source.tokens,
                epochs=tokens / source.tokens if source.tokens else 0.0,
                colour=colour(tints.get(source.name, 7)),
            )
        )
    return tuple(rows)
