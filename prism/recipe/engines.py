"""Which engine runs a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prism.errors import UsageError

if TYPE_CHECKING:
    from prism.recipe.recipe import Recipe


def require_own_engine(recipe: Recipe, stage: str) -> None:
    """Raises UsageError that names the command, where another program than this one is to run the rl stage."""
    if recipe.rl_config(stage).engine == "aligner":
        raise UsageError(
            f"{stage} is a NeMo-Aligner job, which runs in containers of its own",
            place="rl.engine",
            remedy="write the job with `prism rl aligner RECIPE --out DIR` and submit it; "
            "or run the stage here with --set rl.engine=prism",
        )


def trained_by_nemo(recipe: Recipe, node: str) -> bool:
    """Whether the node is a training stage that NeMo runs."""
    stage = recipe.pipeline.get(node)
    return stage is not None and stage.stage in _TRAINING and recipe.training_config(node).engine == "nemo"


_TRAINING = ("pretrain", "midtrain", "extend")
