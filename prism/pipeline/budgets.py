"""How many tokens the stages take from each blend."""

from __future__ import annotations

from data_prep.blend_plan import BlendPlan, plan_blend
from data_prep.errors import DataError
from data_prep.files import read_json
from prism.recipe import TRAINING_KINDS, Recipe


def blend_budgets(recipe: Recipe) -> dict[str, int]:
    """Largest token budget that a stage takes from each blend; a blend that no stage uses gets midtrain's."""
    budgets = dict.fromkeys(recipe.data.blends, 0)
    for name, node in recipe.pipeline.items():
        if node.stage in TRAINING_KINDS:
            config = recipe.training_config(name)
            budgets[config.blend] = max(budgets[config.blend], config.tokens)
    return {blend: tokens or recipe.midtrain.tokens for blend, tokens in budgets.items()}


def forecast(recipe: Recipe, blend: str) -> BlendPlan:
    """A blend at its budget: from the prepared sources' cards, or else from the tokens that the recipe expects.

    Raises:
        DataError: a source is neither prepared nor has `tokens_billion`.
    """
    weights = recipe.data.blends[blend]
    available = {}
    for name in weights:
        card = recipe.data_directory / "sources" / f"{name}.card.json"
        expected = recipe.data.sources[name].tokens_billion
        if card.is_file():
            available[name] = int(read_json(card)["tokens"])
        elif expected is not None:
            available[name] = round(expected * 1e9)
        else:
            raise DataError(
                f"source {name} isn't prepared, and the recipe doesn't say how many tokens it has",
                place=f"data.sources.{name}",
                remedy="run `prism data prepare RECIPE`, or set tokens_billion",
            )
    domains = {name: recipe.data.sources[name].domain for name in weights}
    return plan_blend(blend, weights, available, domains, blend_budgets(recipe)[blend])
