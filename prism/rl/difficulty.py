"""The difficulty filter before RL: how often does the starting model solve each prompt? (section 9)

Sampling is keyed by prompt and sample, so what a prompt gets doesn't depend on its batch, on the number of processes or
on when the stage was killed and went on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.files import read_jsonl, write_jsonl
from prism.errors import GateRefused
from prism.generate.megatron import MegatronLanguageModel
from prism.generate.protocol import Generator, Sampling
from prism.generate.sampling import sample_seed
from prism.megatron import checkpoint
from prism.megatron.checkpoint.ranks import first_ranks
from prism.megatron.layout import layout_of
from prism.megatron.parallel import (
    data_parallel_rank,
    data_parallel_size,
    gather_over_data_parallel,
    is_first_of_replica,
    is_first_rank,
    process_groups,
)
from prism.megatron.trainee import Trainee, build_frozen
from prism.prompts import PromptContract
from prism.recipe.prompt_sets import PROMPTS_AT_ONCE, prompts_read
from prism.rl.clock import patience
from prism.rl.difficulty_records import DifficultyRecords, Sample, difficulty_path, read_measured
from prism.rl.mixes import Kept, Measured, domain_mixes, mix
from prism.rl.placement import build_placement
from prism.rl.prompt_draw import drawn, prompt_number
from prism.rl.prompts import RlPrompt, load_prompt_set
from prism.rl.rollout import Rollout, judge_all, sample
from prism.rl.templates import with_template
from prism.score.choice_templates import CHOICE_TEMPLATES

if TYPE_CHECKING:
    from prism.megatron.parallel import Layout
    from prism.recipe import Recipe, RlConfig

log = logging.getLogger("prism.rl")

_PURPOSE = 3
"""Tells these samples' randomness from that of RL's rollouts, which mix other integers with the same seed."""

RollOut = Callable[[Sequence[RlPrompt]], Sequence[Sequence[Rollout]]]
"""Prompts to their rollouts, a group each; an empty one for a prompt that leaves no room for a response.

All ranks call it together, those without a share with no prompt; of a replica only the first rank's groups count.
"""


def run_difficulty(recipe: Recipe, stage: str) -> None:
    """Samples each prompt several times and keeps those that the recipe's mix wants.

    Writes samples/ and difficulty.jsonl (every prompt with its number of right responses) as it goes, and goes on from
    them; at the end prompts.jsonl, the prompts that RL will draw from. With `prompts_from` nothing is sampled: the
    counts of that stage are mixed anew.

    Raises:
        BadInput: the records are of other prompts; the checkpoint or a prompt set is missing or damaged.
        GateRefused: a domain of the mix has no prompt left.
    """
    folder = recipe.stage_directory(stage)
    source = recipe.pipeline[stage].prompts_from
    layout = layout_of(recipe.cluster_config(stage))
    prompts = candidates(recipe, stage)
    with process_groups(layout, recipe.run.seed, patience(recipe.rl_config(stage).deadline_minutes)):
        if source is None:
            _measure(recipe, stage, layout, prompts)
        elif is_first_rank():
            folder.mkdir(parents=True, exist_ok=True)
            write_jsonl(difficulty_path(folder), read_jsonl(difficulty_path(recipe.stage_directory(source))))
        if is_first_rank():
            _write_kept(recipe, stage, read_measured(folder, prompts))


def _measure(recipe: Recipe, stage: str, layout: Layout, prompts: Sequence[RlPrompt]) -> None:
    """Measures with the parent's weights and the generator that the recipe names."""
    config, folder = recipe.rl_config(stage), recipe.stage_directory(stage)
    contract = PromptContract.load(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
    rows = recipe.vocabulary_rows(contract.vocab_size)
    parent = checkpoint.require_latest(recipe.stage_directory(recipe.parent_of(stage)) / "checkpoints")
    context = recipe.model.max_position_embeddings
    if config.generator.kind == "megatron":
        model = build_frozen(recipe.model, rows, layout, config.precision)
        checkpoint.load(parent, model)
        generator = MegatronLanguageModel(model, contract.vocab_size, context, config.generator.slots)
        measure(prompts, sampler_of(recipe, config, contract, generator, context), folder)
        return
    trainee = Trainee(recipe.model, rows, layout, config.optimizer, config.precision)
    trainee.load_weights(parent)
    context = config.generator.vllm.context_length or context
    with closing(build_placement(recipe, config, contract, trainee, folder)) as placement, placement.generating():
        measure(prompts, sampler_of(recipe, config, contract, placement.generator, context), folder)


def sampler_of(
    recipe: Recipe, config: RlConfig, contract: PromptContract, generator: Generator, context: int
) -> RollOut:
    """Prompts to judged groups of `rl.difficulty.samples`, each sample with a seed of (run, prompt, sample).

    Args:
        context: most tokens that a prompt with its response may have.
    """
    samples = config.difficulty.samples
    sampling = Sampling(config.temperature, config.top_p, config.max_response_tokens, contract.stop_ids)

    def roll(prompts: Sequence[RlPrompt]) -> list[list[Rollout]]:
        lengths = [len(tokens) for tokens in contract.encode_prompts([prompt.question for prompt in prompts])]
        fitting = [prompt for prompt, length in zip(prompts, lengths, strict=True) if length < context]
        numbers = [prompt_number(prompt) for prompt in fitting]

        def seed_of(place: int, of_prompt: int) -> int:
            return sample_seed(recipe.run.seed, _PURPOSE, numbers[place], of_prompt)

        sampled = sample(generator, contract, fitting, samples, sampling, seed_of)
        if not is_first_of_replica():  # the others would only judge the same once more
            return []
        rollouts = judge_all(sampled, config.rewards)
        groups = iter([rollouts[start : start + samples] for start in range(0, len(rollouts), samples)])
        return [next(groups) if length < context else [] for length in lengths]

    return roll


def candidates(recipe: Recipe, stage: str) -> list[RlPrompt]:
    """The prompts that a difficulty stage measures: a seeded draw of each domain, as many as the recipe asks for.

    Those of a stage that mixes anew are those of the stage that measured.
    """
    source = recipe.pipeline[stage].prompts_from
    if source is not None:
        return candidates(recipe, source)
    config = recipe.rl_config(stage)
    found: list[RlPrompt] = []
    for domain, entry in prompts_read(recipe, stage).items():
        prompts = [replace(prompt, domain=domain) for prompt in load_prompt_set(recipe, domain, entry)]
        limit = config.difficulty.prompts_per_domain.get(domain, len(prompts))
        found += drawn(prompts, limit, lambda prompt: prompt, f"{recipe.run.seed}/difficulty/{domain}")
    return found


def measure(prompts: Sequence[RlPrompt], roll: RollOut, folder: Path, at_once: int = PROMPTS_AT_ONCE) -> None:
    """Samples and judges every prompt that the folder doesn't hold yet; each rank takes its share, the first one
    writes. Call it inside process groups.

    Args:
        at_once: prompts of a data-parallel rank between two writes.
    """
    records = DifficultyRecords(folder, prompts) if is_first_rank() else None
    done = first_ranks(records.done if records is not None else 0)
    step = at_once * data_parallel_size()
    began, begin = time.monotonic(), done
    while done < len(prompts):
        part = prompts[done : done + step]
        own = part[data_parallel_rank() :: data_parallel_size()]
        gathered = gather_over_data_parallel([_samples(group) for group in roll(own)])
        if records is not None:
            size = len(gathered)
            records.append([gathered[place % size][place // size] for place in range(len(part))])
        done += len(part)
        rate = (done - begin) / (time.monotonic() - began)
        log.info("difficulty: %d of %d prompts measured, %.2f a second", done, len(prompts), rate)


def _samples(rollouts: Sequence[Rollout]) -> list[Sample]:
    return [
        Sample(
            rollout.text,
            len(rollout.response.tokens),
            rollout.response.stopped,
            rollout.judged.solved,
            rollout.judged.reward,
        )
        for rollout in rollouts
    ]


def _write_kept(recipe: Recipe, stage: str, measured: Sequence[Measured]) -> None:
    """prompts.jsonl: the mix, each row with its `correct` of `samples`, which RL's metrics follow (Figure 10)."""
    config = recipe.rl_config(stage)
    domains = [domain for domain, percent in config.mix.items() if percent > 0]
    kept = mix(measured, domain_mixes(config.difficulty, domains), recipe.run.seed)
    for domain, found in kept.items():
        _tell(domain, found, config)
    rows = (_kept_row(one, config, recipe.run.seed) for found in kept.values() for one in found.prompts)
    write_jsonl(recipe.stage_directory(stage) / "prompts.jsonl", rows)


def _tell(domain: str, found: Kept, config: RlConfig) -> None:
    least, most = config.difficulty.bounds(domain)
    samples = config.difficulty.samples
    log.info(
        "difficulty %s: %d of %d prompts kept (%d right %d to %d times of %d; %d filled in that were never right)",
        *(domain, len(found.prompts), found.measured, found.within, least, most, samples, found.filled),
    )
    if not found.prompts:
        raise GateRefused(
            f"no {domain} prompt is solved {least} to {most} times of {samples}",
            place="rl.difficulty",
            remedy="widen min_correct..max_correct, draw more prompts, or mid-train longer",
        )
    own = config.difficulty.domains.get(domain)
    if own is not None and own.keep is not None and len(found.prompts) < own.keep:
        log.warning("difficulty %s: %d prompts wanted, only %d found", domain, own.keep, len(found.prompts))


def _kept_row(one: Measured, config: RlConfig, seed: int) -> Mapping[str, Any]:
    own = config.difficulty.domains.get(one.prompt.domain)
    prompt = one.prompt
    if own is not None and own.templates:
        prompt = with_template(prompt, CHOICE_TEMPLATES, seed)
    return {**prompt.row, "domain": prompt.domain, "correct": one.correct, "samples": one.samples}
