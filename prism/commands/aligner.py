"""`prism rl aligner`: an RL stage as a NeMo-Aligner job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prism.commands.options import Overrides, RecipeName

if TYPE_CHECKING:
    from prism.nemo.job import Job
    from prism.recipe import Recipe


def aligner(
    recipe: RecipeName,
    out: Annotated[Path, typer.Option(help="Folder of the job; the cluster's nodes must see it.")],
    stage: Annotated[
        str | None, typer.Option(help="RL stage of the recipe's pipeline; needed where there are several.")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Write an RL stage as a job for NeMo-Aligner: settings, prompts, batch script, server of rewards.

    What Aligner can't honour of the recipe is listed; `rl.aligner.require` refuses it.

    Example: `prism rl aligner mistral_7b/math --stage rl --out jobs/rl --set rl.engine=aligner`
    """
    from prism.recipe import load_recipe

    loaded = load_recipe(recipe, overrides or [])
    done = write_aligner_job(loaded, stage or _only_stage(loaded), out)
    for item in done.missed:
        print(f"not honoured: rl.{item.key} = {item.value}: {item.instead}")
    print(f"made: {done.folder} ({done.prompts:,} prompts)")
    print(f"next: see {done.folder / 'README.md'}, then sbatch {done.folder / 'aligner.sbatch'}")


def write_aligner_job(recipe: Recipe, stage: str, out: Path) -> Job:
    """Writes the job's folder from the stages before it.

    Raises:
        BadInput: the parent's export, the tokenizer or a prompt set is missing.
        RecipeError: Aligner can't do what the recipe asks.
    """
    from data_prep.formats import render_prompt
    from prism.nemo.job import Material, write_job
    from prism.nemo.prompts import Prompt, longest, split
    from prism.nemo.support import check
    from prism.prompts import PromptContract
    from prism.rl.prompts import PromptSampler, RlPrompt, stage_prompts

    check(recipe, stage)
    config = recipe.rl_config(stage)
    drawn_from = {domain: found for domain, found in config.prompts.items() if config.mix.get(domain)}
    config = config.model_copy(update={"prompts": drawn_from})
    tokenizer = recipe.data_directory / "tokenizer.json"
    contract = PromptContract.load(tokenizer, recipe.data.tokenizer.end_of_document)
    prompts = {
        domain: [Prompt(domain, render_prompt(prompt.question), prompt.row) for prompt in found]
        for domain, found in stage_prompts(recipe, stage).items()
    }
    parts = split(prompts, config.mix, config.aligner.validation_prompts, recipe.run.seed)
    drawn = {domain: [RlPrompt(domain, one.text, one.row) for one in found] for domain, found in parts.train.items()}
    sampler = PromptSampler(drawn, config.mix, recipe.run.seed)
    every = [*(prompt for found in parts.train.values() for prompt in found), *parts.validation]
    material = Material(
        hf=recipe.stage_directory(recipe.parent_of(stage)) / "hf",
        tokenizer=tokenizer,
        parts=parts,
        steps=(
            [Prompt(one.domain, one.question, one.row) for one in sampler.draw(step, 0, config.prompts_per_step)]
            for step in range(1, config.steps + 1)
        ),
        longest_prompt=longest(every, contract.encode_text),
    )
    return write_job(recipe, stage, out, material)


def _only_stage(recipe: Recipe) -> str:
    from prism.errors import UsageError

    found = [name for name, node in recipe.pipeline.items() if node.stage == "rl"]
    if len(found) != 1:
        raise UsageError(
            f"the recipe has {len(found) or 'no'} rl stages",
            place="pipeline",
            remedy=f"name one with --stage: {', '.join(found)}" if found else "add one",
        )
    return found[0]
