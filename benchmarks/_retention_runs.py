"""The miniature trained stage by stage under callbacks, and what the retention gate's items scored look by look."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from data_prep import api as data
from data_prep.files import read_json, read_jsonl, write_json
from prism.errors import GateRefused
from prism.megatron import checkpoint
from prism.megatron.blend import BlendedBatches
from prism.megatron.layout import layout_of
from prism.megatron.parallel import process_groups
from prism.megatron.trainee import Trainee
from prism.pipeline.budgets import blend_uses
from prism.recipe import Recipe, load_recipe
from prism.train.callback import Callback, Training
from prism.train.events import Events
from prism.train.loop import TrainingLoop
from prism.train.retention.measures import read_measures
from prism.train.retention.meter import Meter
from prism.train.signals import StopRequest
from prism.train.throughput import Throughput

Scores = NDArray[np.float64]


def miniature(root: Path, seed: int, *overrides: str) -> Recipe:
    """The miniature of `seed` below `root`, its data prepared."""
    recipe = load_recipe("miniature", [f"run.seed={seed}", f"run.directory={root}", f"run.name=seed{seed}", *overrides])
    data.prepare(recipe.data, recipe.data_directory, log=lambda line: None)
    for use in blend_uses(recipe):
        data.lock(
            recipe.data, recipe.data_directory, use.blend, use.tokens, seed, samples=use.samples, packing=use.packing
        )
    return recipe


@dataclass(frozen=True)
class Outcome:
    """rows: metrics of every step. refused: the gate's message, if it stopped the stage."""

    rows: Sequence[Mapping[str, Any]]
    refused: str | None


def train(recipe: Recipe, stage: str, callbacks: Callable[[data.Vocabulary], Sequence[Callback]]) -> Outcome:
    """Trains `stage` anew from its parent's last checkpoint to its end, or until a gate refuses."""
    shutil.rmtree(recipe.stage_directory(stage), ignore_errors=True)
    config = recipe.training_config(stage)
    vocabulary = data.load_tokenizer(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
    layout = layout_of(recipe.cluster_config(stage))
    rows = recipe.vocabulary_rows(vocabulary.vocab_size)
    refused = None

    def open_batches(events: Events) -> BlendedBatches:
        samples = data.open_samples(recipe.data_directory, events.samples(config), vocabulary.end_of_document_id)
        return BlendedBatches(samples, config.micro_batch_size, config.global_batch_size)

    with StopRequest() as stop, process_groups(layout, recipe.run.seed):
        trainee = Trainee(recipe.model, rows, layout, config.optimizer, config.precision)
        parent = recipe.pipeline[stage].parent
        if parent is None:
            trainee.initialise(recipe.run.seed)
        else:
            trainee.load_weights(checkpoint.require_latest(recipe.stage_directory(parent) / "checkpoints"))
        throughput = Throughput(recipe.model, rows, config, devices=1)
        loop = TrainingLoop(recipe, stage, trainee, open_batches, callbacks(vocabulary), throughput, stop)
        try:
            loop.run(0, {})
        except GateRefused as gate:
            refused = str(gate)
    return Outcome(list(read_jsonl(recipe.stage_directory(stage) / "metrics.jsonl")), refused)


class Recorder(Callback):
    """Keeps every item's score at every look; decides nothing."""

    name: ClassVar[str] = "recorder"

    def __init__(self, vocabulary: data.Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.scores: list[dict[str, Scores]] = []

    def begin(self, training: Training, step: int) -> None:
        config = training.config
        assert config.retention is not None
        self._training, self.looks = training, config.retention.looks(config.steps)
        measures = read_measures(training.recipe, training.stage, self._vocabulary)
        at_once = config.micro_batch_size * config.sequence_length
        layout = layout_of(training.recipe.cluster_config(training.stage))
        self._meter = Meter(measures, at_once, config.sequence_length, layout)
        self.scores.append(self._meter.scores(training.trainee))

    def after_step(self, step: int, row: dict[str, Any]) -> None:
        if step in self.looks:
            self.scores.append(self._meter.scores(self._training.trainee))


@dataclass(frozen=True)
class Recording:
    """What items scored: `scores` by measure, (1 + looks, items), the first row before the first step."""

    stage: str
    steps: int
    looks: Sequence[int]
    scores: Mapping[str, Scores]

    def save(self, path: Path) -> None:
        plain = {name: np.round(values, 4).tolist() for name, values in self.scores.items()}
        write_json(path, {"stage": self.stage, "steps": self.steps, "looks": list(self.looks), "scores": plain})

    @classmethod
    def load(cls, path: Path) -> Recording:
        plain = read_json(path)
        scores = {name: np.array(values) for name, values in plain["scores"].items()}
        return cls(plain["stage"], plain["steps"], plain["looks"], scores)


def record(recipe: Recipe, stage: str) -> Recording:
    """Trains `stage` and records its items' scores."""
    recorders: list[Recorder] = []

    def callbacks(vocabulary: data.Vocabulary) -> Sequence[Callback]:
        recorders.append(Recorder(vocabulary))
        return recorders

    train(recipe, stage, callbacks)
    (recorder,) = recorders
    scores = {name: np.stack([look[name] for look in recorder.scores]) for name in recorder.scores[0]}
    return Recording(stage, recipe.training_config(stage).steps, recorder.looks, scores)
