"""A stage's checkpoint as a language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prism.generate.megatron import MegatronLanguageModel
from prism.megatron import checkpoint
from prism.megatron.layout import layout_of
from prism.megatron.trainee import build_frozen

if TYPE_CHECKING:
    from prism.megatron.checkpoint import Checkpoint
    from prism.megatron.parallel import Layout
    from prism.recipe import Recipe


def load_language_model(
    recipe: Recipe, source: Checkpoint, vocab_size: int, layout: Layout | None = None, precision: str = "fp32"
) -> MegatronLanguageModel:
    """Call it inside `prism.megatron.parallel.process_groups`.

    Args: layout: of these groups; None is the recipe's.

    Raises:
        BadInput: the checkpoint is damaged or holds another model.
    """
    layout = layout or layout_of(recipe.cluster)
    model = build_frozen(recipe.model, recipe.vocabulary_rows(vocab_size), layout, precision)
    checkpoint.load(source, model)
    return MegatronLanguageModel(model, vocab_size, recipe.model.max_position_embeddings, recipe.evaluate.batch_size)
