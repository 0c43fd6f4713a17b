"""Which prompt sets a run prepares from sources: those that one of its stages reads."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from data_prep.schema import DataConfig, PromptSet
from prism.recipe.findings import Finding, nearest
from prism.recipe.recipe import Recipe
from prism.recipe.schema.prompt_sets import PromptSetConfig
from prism.recipe.schema.rl import RlConfig

PROMPTS_AT_ONCE = 64
"""Prompts that a data-parallel rank of a difficulty stage samples before it writes: the most that a kill costs."""


def prompt_sets(recipe: Recipe) -> dict[str, PromptSet]:
    """By domain, with the folders that the sources lie in."""
    read = _read_domains(recipe)
    return {
        domain: PromptSet.below(recipe.data.root, config, recipe.run.seed)
        for domain, config in recipe.rl.prompts.items()
        if config.sources and domain in read
    }


def with_prompt_sources(recipe: Recipe, names: Collection[str] = ()) -> DataConfig:
    """The data section, with the sources of the prompt sets that a stage reads or of which `names` names one, as
    things to fetch."""
    read = _read_domains(recipe)
    added = {}
    for domain, config in recipe.rl.prompts.items():
        made = PromptSet.below(recipe.data.root, config, recipe.run.seed)
        added.update({name: one for name, one in made.sources.items() if domain in read or name in names})
    return recipe.data.model_copy(update={"sources": {**added, **recipe.data.sources}})


def prompts_read(recipe: Recipe, stage: str) -> dict[str, PromptSetConfig]:
    """The whole prompt sets that a stage reads, by domain: those with a share in its mix.

    None where an rl stage's prompts come from a difficulty stage. A difficulty stage that only mixes anew reads those
    of the stage that measured.
    """
    node = recipe.pipeline[stage]
    if node.stage not in ("rl", "difficulty"):
        return {}
    if node.prompts_from is None:
        config = recipe.rl_config(stage)
        return {domain: prompts for domain, prompts in config.prompts.items() if config.mix.get(domain, 0) > 0}
    return prompts_read(recipe, node.prompts_from) if node.stage == "difficulty" else {}


def missing_prompt_files(recipe: Recipe) -> Iterator[Finding]:
    """Files and folders of the prompt sets that a stage reads, where they aren't there."""
    read = _read_domains(recipe)
    for domain, config in recipe.rl.prompts.items():
        place = ("rl", "prompts", domain)
        if domain not in read:
            continue
        if config.path is not None and not config.path.startswith("world/") and not Path(config.path).exists():
            yield Finding((*place, "path"), f"missing file {config.path}", "correct the path, or fetch the data")
    for domain, made in prompt_sets(recipe).items():
        for name, source in made.sources.items():
            if "://" not in source.path and not _exists(source.path):
                yield Finding(
                    ("rl", "prompts", domain, "sources", name),
                    f"missing file {source.path}",
                    "correct the path or data.root, or fetch the data",
                )


def difficulty_findings(recipe: Recipe, stage: str, config: RlConfig) -> Iterator[Finding]:
    """What a difficulty stage's settings say against each other, and against those of the stage that it mixes anew."""
    bounds, node = config.difficulty, recipe.pipeline[stage]
    place = ("pipeline", stage, "with", "difficulty")
    for domain in dict.fromkeys([*config.prompts, *bounds.domains]):
        least, most = bounds.bounds(domain)
        own = ("domains", domain) if domain in bounds.domains else ()
        if not 0 <= least <= most <= bounds.samples:
            yield Finding(
                (*place, *own),
                f"rl.difficulty: no {domain} prompt is right {least} to {most} times of {bounds.samples}",
                "keep min_correct <= max_correct <= samples",
            )
            if not own:
                break  # the same for every domain that says nothing else
    for key, named in (("prompts_per_domain", bounds.prompts_per_domain), ("domains", bounds.domains)):
        for domain in named:
            if domain not in config.prompts:
                yield Finding((*place, key, domain), f"no prompts for {domain}", nearest(domain, config.prompts))
    for domain, own_range in bounds.domains.items():
        if own_range.fill_with_unsolved and own_range.keep is None:
            yield Finding(
                (*place, "domains", domain, "fill_with_unsolved"), f"{domain}: fill up to how many?", "give `keep`"
            )
    if node.prompts_from is not None and node.parent is not None:
        yield Finding(
            ("pipeline", stage, "from"),
            f"{stage} takes what {node.prompts_from} measured: no model samples",
            "leave out `from`, or `prompts_from`",
        )


def prompt_findings(recipe: Recipe) -> Iterator[Finding]:
    """Stages that change a set which is prepared from sources: a run prepares one set a domain."""
    for stage, node in recipe.pipeline.items():
        changed = node.settings.get("prompts", {})
        for domain in changed if isinstance(changed, dict) else ():
            if isinstance(changed[domain], dict) and {"sources", "draw"} & changed[domain].keys():
                yield Finding(
                    ("pipeline", stage, "with", "prompts", domain),
                    "a stage can't have sources of its own",
                    f"name another domain under rl.prompts, or change rl.prompts.{domain}",
                )


def _read_domains(recipe: Recipe) -> set[str]:
    return {domain for stage in recipe.pipeline for domain in prompts_read(recipe, stage)}


def _exists(path: str) -> bool:
    if any(sign in path for sign in "*?["):
        return any(Path().glob(path)) if not Path(path).is_absolute() else any(Path("/").glob(path[1:]))
    return path.startswith("world/") or Path(path).exists()
