"""The RL stage: GRPO on verifiable rewards from another stage's weights."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING

from prism.megatron import checkpoint
from prism.megatron.layout import layout_of
from prism.megatron.parallel import is_first_rank, process_groups
from prism.megatron.trainee import Trainee
from prism.prompts import PromptContract
from prism.prompts.export import export_stage
from prism.recipe.engines import require_own_engine
from prism.rl.clock import StepClock, patience
from prism.rl.collect import Collector
from prism.rl.journal import Journal
from prism.rl.loop import Progress, RlLoop
from prism.rl.placement import build_placement
from prism.rl.prompts import PromptSampler, stage_prompts
from prism.rl.reference import Reference
from prism.rl.trajectory import Trajectory

if TYPE_CHECKING:
    from prism.recipe import Recipe

log = logging.getLogger("prism.rl")


def run_rl(recipe: Recipe, stage: str) -> None:
    """Runs GRPO to its last step and exports the policy; goes on from its newest checkpoint if it has one.

    Writes metrics.jsonl, samples.jsonl, journal/, checkpoints/, trajectory/ and hf/ in the stage's folder. Prompts and
    samples are drawn from (seed, step, prompt, sample), and a step's rollouts are on disk before it trains on them, so
    a run that was killed repeats exactly what an uninterrupted one does.

    Raises:
        BadInput: the parent's checkpoint, a prompt set or the journal is missing or damaged.
        UsageError: a layout that can't decode, or another engine's stage.
    """
    require_own_engine(recipe, stage)
    config = recipe.rl_config(stage)
    folder = recipe.stage_directory(stage)
    layout = layout_of(recipe.cluster_config(stage))
    parent = checkpoint.require_latest(recipe.stage_directory(recipe.parent_of(stage)) / "checkpoints")
    with process_groups(layout, recipe.run.seed, patience(config.deadline_minutes)):
        contract = PromptContract.load(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
        rows = recipe.vocabulary_rows(contract.vocab_size)
        trainee = Trainee(recipe.model, rows, layout, config.optimizer, config.precision)
        reference = None
        if config.kl_coefficient > 0:
            offload = config.placement.offload_reference
            reference = Reference(recipe.model, rows, layout, config.precision, offload=offload)
        sampler = PromptSampler(stage_prompts(recipe, stage), config.mix, recipe.run.seed)
        newest = checkpoint.latest(folder / "checkpoints")
        done = Progress()
        if newest is None:
            _begin(parent, trainee, reference)
        else:
            log.info("%s: resuming after step %d from %s", stage, newest.step, newest.path)
            done = _resume(newest, trainee, reference, sampler)
        clock, journal = StepClock(config.deadline_minutes), Journal(folder / "journal")
        with closing(build_placement(recipe, config, contract, trainee, folder)) as placement:
            collector = Collector(config, placement.generator, contract, sampler, journal, clock, recipe.run.seed)
            trajectory = Trajectory(folder / "trajectory", config.trajectory, parent)
            loop = RlLoop(
                config,
                trainee,
                reference,
                placement,
                collector,
                sampler,
                journal,
                trajectory,
                clock,
                folder,
            )
            loop.run(done)
        first = is_first_rank()
    if first:
        export_stage(recipe, stage)


def _begin(parent: checkpoint.Checkpoint, trainee: Trainee, reference: Reference | None) -> None:
    trainee.load_weights(parent)
    if reference is not None:
        reference.load(parent)


def _resume(
    newest: checkpoint.Checkpoint, trainee: Trainee, reference: Reference | None, sampler: PromptSampler
) -> Progress:
    trainee.resume(newest)
    if reference is not None:
        reference.resume(newest)
    sampler.restore(newest.state["prompts"])
    return Progress.read(newest)
