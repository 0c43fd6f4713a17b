"""What the types can't say: sections that must agree with each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from data_prep.blend.weights import DOMAIN, is_weight
from prism.recipe.cluster_checks import cluster_findings
from prism.recipe.findings import Finding, invalid, nearest
from prism.recipe.prompt_sets import difficulty_findings, missing_prompt_files, prompt_findings
from prism.recipe.recipe import CHECKPOINT_KINDS, TRAINING_KINDS, Recipe
from prism.recipe.retention_checks import missing_retention_files, retention_findings
from prism.recipe.rl_checks import rl_findings
from prism.recipe.sample_checks import samples_findings
from prism.recipe.schema.base import Section
from prism.recipe.schema.rl import RlConfig
from prism.recipe.schema.stages import ImportConfig, MergeConfig
from prism.recipe.schema.training import MidtrainConfig

_SETTINGS: dict[str, type[Section]] = {
    "rl": RlConfig,
    "difficulty": RlConfig,
    "merge": MergeConfig,
    "import": ImportConfig,
}
_NEEDS_PARENT = ("midtrain", "merge", "extend", "difficulty", "rl")


def findings(recipe: Recipe) -> Iterator[Finding]:
    """Every disagreement between sections, first those of the data, then model, cluster, pipeline, claims."""
    yield from _data(recipe)
    yield from _model(recipe)
    yield from cluster_findings(recipe)
    yield from _pipeline(recipe)
    yield from prompt_findings(recipe)
    yield from _analysis(recipe)
    yield from _claims(recipe)


def missing_files(recipe: Recipe) -> Iterator[Finding]:
    """Files that the recipe names and that the run doesn't make itself."""
    if recipe.data.tokenizer.kind == "file" and recipe.pipeline:
        path = recipe.data.tokenizer.path
        if path is None or not Path(path).is_file():
            yield Finding(
                ("data", "tokenizer", "path"),
                f"missing file {path}",
                "give the path of a Hugging Face tokenizer.json",
            )
    for name, source in recipe.data.sources.items():
        if not _exists(source.path):
            yield Finding(
                ("data", "sources", name, "path"), f"missing file {source.path}", "correct the path, or fetch the data"
            )
    yield from missing_prompt_files(recipe)
    for name, node in recipe.pipeline.items():
        if node.stage in TRAINING_KINDS:
            yield from missing_retention_files(recipe, name)
        if node.stage == "import" and not _exists(recipe.import_config(name).path):
            path = recipe.import_config(name).path
            yield Finding(
                ("pipeline", name, "with", "path"), f"missing folder {path}", "`prism models fetch` of this recipe"
            )


def _exists(path: str) -> bool:
    if path.startswith("world/"):
        return True
    if any(sign in path for sign in "*?["):
        return any(Path().glob(path)) if not Path(path).is_absolute() else any(Path("/").glob(path[1:]))
    return Path(path).exists()


def _data(recipe: Recipe) -> Iterator[Finding]:
    domains = {name: source.domain for name, source in recipe.data.sources.items()}
    for name, weights in recipe.data.blends.items():
        path = ("data", "blends", name)
        for key in weights:
            yield from _blend_key(key, weights, domains, (*path, key))
        total = sum(weights.values())
        if math.isfinite(total) and abs(total - 100) > 1e-6:
            yield Finding(path, f"weights sum to {total:g} percent, not 100", "make them sum to 100")
        for key, weight in weights.items():
            if not is_weight(weight):
                wrong = "above 0" if weight <= 0 else "a finite number"
                yield Finding((*path, key), f"weight {weight:g} isn't {wrong}", f"leave {key} out, or give its percent")
    for source in recipe.data.tokenizer.train_on:
        if source not in recipe.data.sources:
            yield Finding(
                ("data", "tokenizer", "train_on"), f"unknown source {source}", nearest(source, recipe.data.sources)
            )


def _blend_key(
    key: str, weights: Mapping[str, float], domains: Mapping[str, str], path: tuple[str, ...]
) -> Iterator[Finding]:
    domain = key.removeprefix(DOMAIN)
    if domain == key:
        if key not in domains:
            yield Finding(path, f"unknown source {key}", nearest(key, domains))
    elif domain not in domains.values():
        yield Finding(path, f"no source is of domain {domain!r}", nearest(domain, dict.fromkeys(domains.values())))
    elif all(name in weights for name, its in domains.items() if its == domain):
        yield Finding(path, f"the blend names every source of domain {domain} itself", f"leave {key} out")


def _model(recipe: Recipe) -> Iterator[Finding]:
    model = recipe.model
    groups = model.num_query_groups or model.num_attention_heads
    if model.num_attention_heads % groups:
        yield Finding(
            ("model", "num_query_groups"),
            f"{groups} key-value heads don't divide {model.num_attention_heads} query heads",
            f"use a divisor of {model.num_attention_heads}",
        )
    if model.head_dim is None and model.hidden_size % model.num_attention_heads:
        yield Finding(
            ("model", "num_attention_heads"),
            f"{model.num_attention_heads} heads don't divide hidden_size {model.hidden_size}",
            "set head_dim, or use a divisor",
        )
    pattern = model.hybrid_pattern
    if pattern is None:
        return
    if set(pattern) - set("M*-"):
        yield Finding(
            ("model", "hybrid_pattern"), f"unknown letters in {pattern!r}", "use M Mamba-2, * attention, - MLP"
        )
    if len(pattern) != model.num_layers:
        yield Finding(
            ("model", "hybrid_pattern"),
            f"{len(pattern)} characters for {model.num_layers} layers",
            "write one character a layer",
        )
    if model.mamba is None:
        yield Finding(("model", "mamba"), "a hybrid needs the mamba section", "add model.mamba")
    elif model.mamba.inner_size % model.mamba.head_dim:
        yield Finding(
            ("model", "mamba", "head_dim"),
            f"head_dim {model.mamba.head_dim} doesn't divide inner_size {model.mamba.inner_size}",
            "use a divisor",
        )


def _pipeline(recipe: Recipe) -> Iterator[Finding]:
    for name, node in recipe.pipeline.items():
        path = ("pipeline", name)
        mixes_anew = node.stage == "difficulty" and node.prompts_from is not None
        if node.stage in _NEEDS_PARENT and node.parent is None and not mixes_anew:
            yield Finding(path, f"a {node.stage} stage needs `from`", "name the stage it starts from")
        for key, other in (("from", node.parent), ("prompts_from", node.prompts_from)):
            if other is not None and other not in recipe.pipeline:
                yield Finding((*path, key), f"unknown stage {other}", nearest(other, recipe.pipeline))
        if node.parent in recipe.pipeline and recipe.pipeline[node.parent].stage not in CHECKPOINT_KINDS:
            yield Finding((*path, "from"), f"{node.parent} leaves no checkpoint", "start from another stage")
        source = recipe.pipeline.get(node.prompts_from or "")
        if source is not None and source.stage != "difficulty":
            yield Finding(
                (*path, "prompts_from"), f"{node.prompts_from} is no difficulty stage", "name one, or leave it out"
            )
        if _in_circle(recipe, name):
            yield Finding((*path, "from"), "the stage starts, in the end, from itself", "break the circle")
        yield from _settings(recipe, name)


def _settings(recipe: Recipe, name: str) -> Iterator[Finding]:
    node, path = recipe.pipeline[name], ("pipeline", name, "with")
    try:
        config: Any = recipe.stage_config(name)
    except ValidationError as error:
        yield from invalid(error, _SETTINGS.get(node.stage, MidtrainConfig), path)
        return
    if node.stage in TRAINING_KINDS:
        yield from samples_findings(config, recipe.data.blends, path)
        yield from retention_findings(recipe, name, config)
    if node.stage in TRAINING_KINDS and config.sequence_length > recipe.model.max_position_embeddings:
        yield Finding(
            (*path, "sequence_length"),
            f"sequence_length {config.sequence_length} is beyond "
            f"model.max_position_embeddings {recipe.model.max_position_embeddings}",
            "shorten the sequences, or raise max_position_embeddings",
        )
    if node.stage == "merge" and config.base is not None and config.base not in recipe.pipeline:
        yield Finding((*path, "base"), f"unknown stage {config.base}", nearest(config.base, recipe.pipeline))
    if node.stage == "difficulty":
        yield from difficulty_findings(recipe, name, config)
    if node.stage in ("rl", "difficulty"):
        yield from rl_findings(recipe, name, config)
        total = sum(config.mix.values())
        if abs(total - 100) > 1e-6:
            yield Finding((*path, "mix"), f"rl.mix sums to {total:g} percent, not 100", "make it sum to 100")
        for domain in config.mix:
            if domain not in config.prompts:
                yield Finding((*path, "mix", domain), f"no prompts for {domain}", nearest(domain, config.prompts))


def _in_circle(recipe: Recipe, name: str) -> bool:
    """Whether the stage needs itself, by way of `from` and `prompts_from`."""
    seen: set[str] = set()
    left = [name]
    while left:
        node = recipe.pipeline[left.pop()]
        for need in (node.parent, node.prompts_from):
            if need == name:
                return True
            if need is not None and need in recipe.pipeline and need not in seen:
                seen.add(need)
                left.append(need)
    return False


def _analysis(recipe: Recipe) -> Iterator[Finding]:
    named = [("pairs", number, pair) for number, pair in enumerate(recipe.analyze.pairs or ())]
    named += [
        ("relations", number, pair) for number, relation in enumerate(recipe.analyze.relations) for pair in relation
    ]
    for key, number, pair in named:
        for stage in pair:
            if stage not in recipe.checkpoint_stages():
                yield Finding(
                    ("analyze", key, str(number)),
                    f"unknown stage {stage}",
                    nearest(stage, recipe.checkpoint_stages()),
                )
    landscape = recipe.analyze.landscape
    for place, stage in enumerate(landscape.chain if landscape is not None else ()):
        if stage not in recipe.checkpoint_stages():
            yield Finding(
                ("analyze", "landscape", "chain", str(place)),
                f"unknown stage {stage}",
                nearest(stage, recipe.checkpoint_stages()),
            )


def _claims(recipe: Recipe) -> Iterator[Finding]:
    for name, claim in recipe.claims.items():
        bounds = [claim.at_least, claim.at_most, claim.above, claim.below]
        if sum(bound is not None for bound in bounds) > 1:
            yield Finding(("claims", name), "more than one threshold", "keep one of at_least, at_most, above, below")
