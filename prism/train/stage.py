"""One training stage: pre-training from scratch, or mid-training from another stage's weights."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep import api as data
from prism.megatron import checkpoint
from prism.megatron.blend import BlendedBatches
from prism.megatron.layout import layout_of
from prism.megatron.parallel import (
    data_parallel_size,
    is_first_rank,
    process_groups,
    sum_over_data_parallel,
)
from prism.megatron.schedule import learning_rate
from prism.megatron.trainee import Trainee
from prism.prompts.export import export_stage
from prism.steplog import StepLog
from prism.train.loss import REPORT, NextTokenLoss
from prism.train.throughput import Throughput

if TYPE_CHECKING:
    from prism.megatron.step import StepResult
    from prism.recipe import MidtrainConfig, Recipe

log = logging.getLogger("prism.train")


def run_training(recipe: Recipe, stage: str) -> None:
    """Trains `stage` to its last step and exports it; goes on from its newest checkpoint if it has one.

    Reads the blend's lock and refuses it when a file changed. Writes metrics.jsonl, checkpoints/ and hf/ in the
    stage's folder.

    Raises:
        data_prep.errors.DataError: the blend's files are not those that were locked.
        BadInput: the parent's checkpoint is missing or doesn't fit the model.
    """
    config = recipe.training_config(stage)
    folder = recipe.stage_directory(stage)
    vocabulary = data.load_tokenizer(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
    layout = layout_of(recipe.cluster_config(stage))
    with process_groups(layout, recipe.run.seed):
        trainee = Trainee(
            recipe.model,
            recipe.vocabulary_rows(vocabulary.vocab_size),
            layout,
            config.optimizer,
            config.precision,
            config.trainable,
        )
        done = _begin(recipe, stage, trainee, folder / "checkpoints")
        samples = data.open_samples(recipe.data_directory, config.run_samples, vocabulary.end_of_document_id)
        batches = BlendedBatches(samples, config.micro_batch_size, config.global_batch_size)
        _loop(config, trainee, batches, folder, done)
        first = is_first_rank()
    if first:
        export_stage(recipe, stage)


def _begin(recipe: Recipe, stage: str, trainee: Trainee, checkpoints: Path) -> int:
    """Puts weights into the model; returns the number of steps already done."""
    newest = checkpoint.latest(checkpoints)
    if newest is not None:
        log.info("%s: resuming after step %d from %s", stage, newest.step, newest.path)
        trainee.resume(newest)
        return newest.step
    parent = recipe.pipeline[stage].parent
    if parent is not None:
        trainee.load_weights(checkpoint.require_latest(recipe.stage_directory(parent) / "checkpoints"))
    else:
        trainee.initialise(recipe.run.seed)
    return 0


def _loop(config: MidtrainConfig, trainee: Trainee, batches: BlendedBatches, folder: Path, done: int) -> None:
    loss = NextTokenLoss(len(batches.names))
    tokens_per_step = config.global_batch_size * config.sequence_length
    throughput = Throughput(trainee.parameters_per_token(), tokens_per_step, data_parallel_size())
    with StepLog(folder / "metrics.jsonl", resume_after=done, enabled=is_first_rank()) as metrics:
        for step in range(done + 1, config.steps + 1):
            rate = learning_rate(step, config.steps, config.optimizer.learning_rate, config.schedule)
            result = trainee.step(batches.global_batch(step - 1), loss, rate, REPORT)
            row = {"step": step, "tokens": step * tokens_per_step, **_losses(result, batches.names)}
            row |= {"grad_norm": result.grad_norm, "learning_rate": rate, "timing": throughput.lap()}
            metrics.append(row)
            last = step == config.steps
            if last or step % config.checkpoint.every_steps == 0:
                trainee.save(
                    folder / "checkpoints",
                    step,
                    {"tokens": row["tokens"], "sequences": step * config.global_batch_size},
                )
                checkpoint.prune(folder / "checkpoints", config.checkpoint.keep_last)
                throughput.lap()


def _losses(result: StepResult, names: Sequence[str]) -> dict[str, Any]:
    """Loss overall and by source over the global batch; a source without a label that counts is left out."""
    sums = sum_over_data_parallel(result.sums["loss_sum"].clone()).tolist()
    tokens = sum_over_data_parallel(result.sums["tokens"].clone()).tolist()
    by_source = {name: total / count for name, total, count in zip(names, sums, tokens, strict=True) if count}
    return {"loss": sum(sums) / max(1.0, sum(tokens)), "loss_by_source": by_source}
