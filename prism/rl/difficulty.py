"""The difficulty filter before RL: how often does the starting model solve each prompt?"""

from __future__ import annotations

import logging
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.files import read_jsonl, write_jsonl
from prism.errors import GateRefused
from prism.generate.megatron import MegatronLanguageModel
from prism.generate.protocol import Sampling
from prism.megatron import checkpoint
from prism.megatron.layout import layout_of
from prism.megatron.parallel import is_first_rank, process_groups
from prism.megatron.trainee import build_frozen
from prism.prompts import PromptContract
from prism.rl.metrics import is_correct
from prism.rl.prompts import RlPrompt, load_prompt_set
from prism.rl.rollout import roll_out
from prism.rl.stage import rollout_seed

if TYPE_CHECKING:
    from prism.recipe import Recipe, RlConfig

log = logging.getLogger("prism.rl")

_PROMPTS_AT_ONCE = 64


def run_difficulty(recipe: Recipe, stage: str) -> None:
    """Samples each prompt several times and keeps those solved neither too rarely nor too often.

    Writes difficulty.jsonl (every prompt with its number of right responses) as it goes, and goes on from it; at
    the end prompts.jsonl, the prompts that RL will draw from.

    Raises:
        GateRefused: a domain has no prompt left.
    """
    config = recipe.rl_config(stage)
    folder = recipe.stage_directory(stage)
    layout = layout_of(recipe.cluster_config(stage))
    parent = recipe.parent_of(stage)
    with process_groups(layout, recipe.run.seed):
        contract = PromptContract.load(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
        model = build_frozen(recipe.model, recipe.vocabulary_rows(contract.vocab_size), layout)
        checkpoint.load(checkpoint.require_latest(recipe.stage_directory(parent) / "checkpoints"), model)
        generator = MegatronLanguageModel(model, contract.vocab_size, recipe.model.max_position_embeddings)
        rows = _measure(recipe, config, generator, contract, folder / "difficulty.jsonl")
        if is_first_rank():
            _keep(rows, config, folder / "prompts.jsonl")


def candidates(recipe: Recipe, config: RlConfig) -> list[RlPrompt]:
    """A seeded draw of each domain's prompts, as many as the recipe asks for."""
    drawn = []
    for domain, entry in config.prompts.items():
        prompts = load_prompt_set(recipe, domain, entry)
        limit = config.difficulty.prompts_per_domain.get(domain, len(prompts))
        generator = random.Random(f"{recipe.run.seed}/difficulty/{domain}")
        drawn += generator.sample(prompts, min(limit, len(prompts)))
    return drawn


def _measure(
    recipe: Recipe, config: RlConfig, generator: MegatronLanguageModel, contract: PromptContract, path: Path
) -> list[dict[str, Any]]:
    prompts = candidates(recipe, config)
    rows = list(read_jsonl(path)) if path.is_file() else []
    sampling = Sampling(config.temperature, config.top_p, config.max_response_tokens, contract.stop_ids)
    samples = config.difficulty.samples
    for start in range(len(rows), len(prompts), _PROMPTS_AT_ONCE):
        part = prompts[start : start + _PROMPTS_AT_ONCE]
        rollouts = roll_out(
            generator, contract, part, samples, sampling, seed=rollout_seed(recipe.run.seed, start, 4_095)
        )
        for index, prompt in enumerate(part):
            group = rollouts[index * samples : (index + 1) * samples]
            right = sum(is_correct(rollout) for rollout in group)
            rows.append({**prompt.row, "domain": prompt.domain, "correct": right, "samples": samples})
        if is_first_rank():
            write_jsonl(path, rows)
    return rows


def _keep(rows: list[dict[str, Any]], config: RlConfig, path: Path) -> None:
    bounds = config.difficulty
    kept = [row for row in rows if bounds.min_correct <= row["correct"] <= bounds.max_correct]
    for domain in config.prompts:
        total = sum(row["domain"] == domain for row in rows)
        left = sum(row["domain"] == domain for row in kept)
        log.info("difficulty %s: %d of %d prompts kept", domain, left, total)
        if not left and config.mix.get(domain, 0) > 0:
            raise GateRefused(
                f"no {domain} prompt is solved {bounds.min_correct} to {bounds.max_correct} times of {bounds.samples}",
                place="rl.difficulty",
                remedy="widen min_correct..max_correct, draw more prompts, or mid-train longer",
            )
    write_jsonl(path, kept)
