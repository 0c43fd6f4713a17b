"""How many tokens the stages take from each blend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from data_prep.blend.plan import BlendPlan, plan_blend
from data_prep.blend.weights import blend_sources
from data_prep.errors import DataError
from data_prep.files import read_json
from data_prep.schema import Packing
from prism.recipe import TRAINING_KINDS, Recipe
from prism.recipe.schema.training import MidtrainConfig


@dataclass(frozen=True)
class BlendUse:
    """The most that a stage takes of a blend packed in one way.

    `tokens_per_step` are those of the stage that takes most tokens; `stages` all that take some, none where no stage
    uses the blend and midtrain's numbers stand in.
    """

    blend: str
    packing: Packing | None
    tokens: int
    samples: int
    tokens_per_step: int
    stages: tuple[str, ...] = ()


def blend_uses(recipe: Recipe) -> list[BlendUse]:
    """One for every blend and packing, in the order of the blends; a blend that no stage uses has midtrain's numbers.

    A blend in a schedule gives only the samples of its own segments.
    """
    found: dict[tuple[str, Packing | None], BlendUse] = {}
    for name, node in recipe.pipeline.items():
        if node.stage not in TRAINING_KINDS:
            continue
        for use in _of_stage(name, recipe.training_config(name)):
            key = (use.blend, use.packing)
            found[key] = _larger(found[key], use) if key in found else use
    uses = []
    for blend in recipe.data.blends:
        used = [use for use in found.values() if use.blend == blend]
        uses += used or [_unused(blend, recipe.midtrain)]
    return uses


def blend_budgets(recipe: Recipe) -> dict[str, int]:
    """Largest token budget that a stage takes from each blend; a blend that no stage uses gets midtrain's."""
    budgets: dict[str, int] = {}
    for use in blend_uses(recipe):
        budgets[use.blend] = max(budgets.get(use.blend, 0), use.tokens)
    return budgets


def forecast(recipe: Recipe, blend: str, tokens: int | None = None) -> BlendPlan:
    """A blend at a budget, by default its own: from the prepared sources' cards, or else the recipe's expected tokens.

    What packing adds isn't in it: packs are as full as their documents allow.

    Raises:
        DataError: a source is neither prepared nor has `tokens_billion`.
    """
    place = f"data.blends.{blend}"
    weights = recipe.data.blends[blend]
    domains = {name: source.domain for name, source in recipe.data.sources.items()}
    available = {name: _tokens(recipe, name) for name in blend_sources(weights, domains, place)}
    return plan_blend(blend, weights, available, domains, tokens or blend_budgets(recipe)[blend])


def _of_stage(stage: str, config: MidtrainConfig) -> Iterator[BlendUse]:
    """What a stage takes, blend by blend; the last segment ends with the stage."""
    segments = config.blends()
    ends = [start for start, _blend in segments[1:]] + [config.samples]
    samples: dict[str, int] = {}
    for (start, blend), end in zip(segments, ends, strict=True):
        samples[blend] = samples.get(blend, 0) + end - start
    length = config.sequence_length
    if config.alternative is not None:
        samples[config.alternative] = config.samples  # the retention gate may change to it at any time
    for blend, count in samples.items():
        yield BlendUse(blend, config.pack, count * length, count, config.global_batch_size * length, (stage,))


def _larger(one: BlendUse, other: BlendUse) -> BlendUse:
    most = other if other.tokens > one.tokens else one
    return replace(most, samples=max(one.samples, other.samples), stages=one.stages + other.stages)


def _unused(blend: str, config: MidtrainConfig) -> BlendUse:
    return BlendUse(blend, None, config.tokens, config.samples, config.global_batch_size * config.sequence_length)


def _tokens(recipe: Recipe, name: str) -> int:
    card = recipe.data_directory / "sources" / f"{name}.card.json"
    if card.is_file():
        return int(read_json(card)["tokens"])
    expected = recipe.data.sources[name].tokens_billion
    if expected is None:
        raise DataError(
            f"source {name} isn't prepared, and the recipe doesn't say how many tokens it has",
            place=f"data.sources.{name}",
            remedy="run `prism data prepare RECIPE`, or set tokens_billion",
        )
    return round(expected * 1e9)
