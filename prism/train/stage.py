"""One training stage: pre-training from scratch, mid-training or extension from another stage's weights."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep import api as data
from prism.megatron import checkpoint
from prism.megatron.agreement import world_size
from prism.megatron.blend import BlendedBatches
from prism.megatron.layout import layout_of
from prism.megatron.parallel import is_first_rank, process_groups
from prism.megatron.trainee import Trainee
from prism.prompts.export import export_stage
from prism.train.callback import Callback
from prism.train.events import Events
from prism.train.health import Health
from prism.train.loop import TrainingLoop
from prism.train.profiler import Profiler
from prism.train.retention.gate import RetentionGate
from prism.train.signals import StopRequest
from prism.train.throughput import Throughput
from prism.train.trackers import Trackers
from prism.train.validation import Validation
from prism.train.watchdog import Watchdog, patience

if TYPE_CHECKING:
    from data_prep.api import Vocabulary
    from prism.recipe import Recipe
    from prism.recipe.schema.operation import OperationConfig

log = logging.getLogger("prism.train")


def run_training(recipe: Recipe, stage: str) -> None:
    """Trains `stage` to its last step and exports it; goes on from its newest sound checkpoint if it has one.

    Reads the blend's lock and refuses it when a file changed. Writes metrics.jsonl, checkpoints/ and hf/ in the
    stage's folder.

    Raises:
        data_prep.errors.DataError: the blend's files are not those that were locked.
        BadInput: the parent's checkpoint is missing or doesn't fit the model.
        GateRefused: the retention gate stopped the stage.
        Requeue: a signal asked the process to leave; it is saved.
    """
    config = recipe.training_config(stage)
    vocabulary = data.load_tokenizer(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
    layout = layout_of(recipe.cluster_config(stage))
    with StopRequest() as stop, process_groups(layout, recipe.run.seed, patience(recipe.run.operation)):
        trainee = Trainee(
            recipe.model,
            recipe.vocabulary_rows(vocabulary.vocab_size),
            layout,
            config.optimizer,
            config.precision,
            config.trainable,
        )
        done, state = _begin(recipe, stage, trainee, recipe.stage_directory(stage) / "checkpoints")

        def open_batches(events: Events) -> BlendedBatches:
            samples = data.open_samples(recipe.data_directory, events.samples(config), vocabulary.end_of_document_id)
            return BlendedBatches(samples, config.micro_batch_size, config.global_batch_size)

        throughput = Throughput(recipe.model, trainee.vocab_size, config, world_size())
        callbacks = _callbacks(recipe.run.operation, vocabulary)
        TrainingLoop(recipe, stage, trainee, open_batches, callbacks, throughput, stop).run(done, state)
        first = is_first_rank()
    if first:
        export_stage(recipe, stage)


def _callbacks(settings: OperationConfig, vocabulary: Vocabulary) -> Sequence[Callback]:
    """In the order in which they see a step's row: trackers see what all others added."""
    return [
        Watchdog(settings),
        Profiler(settings.profile),
        Validation(vocabulary),
        RetentionGate(vocabulary),
        Health(settings),
        Trackers(settings),
    ]


def _begin(recipe: Recipe, stage: str, trainee: Trainee, checkpoints: Path) -> tuple[int, Mapping[str, Any]]:
    """Puts weights into the model; returns the number of steps already done and what the checkpoint says of them."""
    newest = checkpoint.latest(checkpoints)
    if newest is not None:
        log.info("%s: resuming after step %d from %s", stage, newest.step, newest.path)
        trainee.resume(newest)
        return newest.step, newest.state
    parent = recipe.pipeline[stage].parent
    if parent is not None:
        trainee.load_weights(checkpoint.require_latest(recipe.stage_directory(parent) / "checkpoints"))
    else:
        trainee.initialise(recipe.run.seed)
    return 0, {}
