"""How many tokens the stages take from each blend."""

from __future__ import annotations

from prism.recipe import Recipe

TRAINING_KINDS = ("pretrain", "midtrain", "extend")


def blend_budgets(recipe: Recipe) -> dict[str, int]:
    """Largest token budget that a stage takes from each blend; a blend that no stage uses gets midtrain's."""
    budgets = dict.fromkeys(recipe.data.blends, 0)
    for name, node in recipe.pipeline.items():
        if node.stage in TRAINING_KINDS:
            config = recipe.training_config(name)
            budgets[config.blend] = max(budgets[config.blend], config.tokens)
    return {blend: tokens or recipe.midtrain.tokens for blend, tokens in budgets.items()}
