"""`prism convert`: a stage's checkpoint for transformers and vLLM."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prism.commands.options import Overrides, RecipeName


def register(app: typer.Typer) -> None:
    """Adds `convert` to `prism`."""
    app.command()(convert)


def convert(
    recipe: RecipeName,
    stage: Annotated[str, typer.Argument(help="Stage of the recipe's pipeline.")],
    output: Annotated[Path, typer.Argument(help="Folder to write.")],
    overrides: Overrides = None,
) -> None:
    """Export a stage's newest checkpoint as a Hugging Face folder: safetensors, tokenizer, chat template.

    Example: `prism convert miniature rl exports/rl`
    """
    from prism.errors import UsageError
    from prism.megatron.checkpoint import require_latest
    from prism.prompts.export import export_checkpoint
    from prism.recipe import load_recipe

    loaded = load_recipe(recipe, overrides or [])
    if stage not in loaded.checkpoint_stages():
        raise UsageError(
            f"no stage {stage} that leaves a checkpoint",
            place=recipe,
            remedy=f"use one of {', '.join(loaded.checkpoint_stages())}",
        )
    export_checkpoint(loaded, require_latest(loaded.stage_directory(stage) / "checkpoints"), output)
    print(f"made: {output}\nnext: transformers.AutoModelForCausalLM.from_pretrained({str(output)!r})")
