"""The miniature trained stage by stage under callbacks, and what the retention gate's items said look by look."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from data_prep import api as data
from data_prep.files import read_json, write_json
from prism.errors import GateRefused
from prism.megatron import checkpoint
from prism.megatron.blend import BlendedBatches
from prism.megatron.layout import layout_of
from prism.megatron.parallel import process_groups
from prism.megatron.schedule import learning_rate
from prism.megatron.trainee import Trainee
from prism.pipeline.budgets import blend_uses
from prism.recipe import MidtrainConfig, Recipe, load_recipe
from prism.train.callback import Callback, Training
from prism.train.loss import REPORT, NextTokenLoss, losses
from prism.train.retention.measures import read_measures
from prism.train.retention.meter import Meter

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


@dataclass
class Stage:
    """A stage in training: what callbacks know of it. Checkpoints are written at its end only."""

    recipe: Recipe
    stage: str
    config: MidtrainConfig
    folder: Path
    trainee: Trainee
    switches: list[tuple[int, str]] = field(default_factory=list)

    def switch_blend(self, step: int, blend: str, reason: str) -> None:
        self.switches.append((step, blend))

    def back_to(self, step: int) -> int | None:
        return None


@dataclass(frozen=True)
class Outcome:
    """rows: metrics of every step. refused: the gate's message, if it stopped the stage. seconds: of the steps."""

    rows: Sequence[Mapping[str, Any]]
    refused: str | None
    seconds: float


def train(recipe: Recipe, stage: str, callbacks: Callable[[data.Vocabulary], Sequence[Callback]]) -> Outcome:
    """Trains `stage` from its parent's last checkpoint to its end, or until a gate refuses; saves its last step."""
    config = recipe.training_config(stage)
    vocabulary = data.load_tokenizer(recipe.data_directory / "tokenizer.json", recipe.data.tokenizer.end_of_document)
    layout = layout_of(recipe.cluster_config(stage))
    rows: list[dict[str, Any]] = []
    refused = None
    with process_groups(layout, recipe.run.seed):
        rows_of_vocabulary = recipe.vocabulary_rows(vocabulary.vocab_size)
        trainee = Trainee(recipe.model, rows_of_vocabulary, layout, config.optimizer, config.precision)
        parent = recipe.pipeline[stage].parent
        if parent is None:
            trainee.initialise(recipe.run.seed)
        else:
            trainee.load_weights(checkpoint.require_latest(recipe.stage_directory(parent) / "checkpoints"))
        training = Stage(recipe, stage, config, recipe.stage_directory(stage), trainee)
        every = callbacks(vocabulary)
        began = time.perf_counter()
        try:
            for callback in every:
                callback.begin(training, 0)
            _steps(training, vocabulary, every, rows)
        except GateRefused as gate:
            refused = str(gate)
        seconds = time.perf_counter() - began
        if refused is None:
            trainee.save(training.folder / "checkpoints", config.steps, {})
    return Outcome(rows, refused, seconds)


def _steps(
    training: Stage, vocabulary: data.Vocabulary, callbacks: Sequence[Callback], rows: list[dict[str, Any]]
) -> None:
    config, planned = training.config, training.config.run_samples
    step = 0
    while step < config.steps:
        blends = [*planned.blends, *((after * config.global_batch_size, name) for after, name in training.switches)]
        asked = planned.model_copy(update={"blends": tuple(blends)})
        samples = data.open_samples(training.recipe.data_directory, asked, vocabulary.end_of_document_id)
        batches = BlendedBatches(samples, config.micro_batch_size, config.global_batch_size)
        loss, switches = NextTokenLoss(len(batches.names)), len(training.switches)
        while step < config.steps and len(training.switches) == switches:
            step += 1
            rate = learning_rate(step, config.steps, config.optimizer.learning_rate, config.schedule)
            result = training.trainee.step(batches.global_batch(step - 1), loss, rate, REPORT)
            row = {"step": step, **losses(result, batches.names)}
            rows.append(row)
            for callback in callbacks:
                callback.after_step(step, row)


class Recorder(Callback):
    """Keeps every item's score at every look; decides nothing."""

    name: ClassVar[str] = "recorder"

    def __init__(self, vocabulary: data.Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.steps: list[int] = []
        self.scores: list[dict[str, Scores]] = []

    def begin(self, training: Training, step: int) -> None:
        config = training.config
        assert config.retention is not None
        self._training, self._looks = training, config.retention.looks(config.steps)
        measures = read_measures(training.recipe, training.stage, self._vocabulary)
        self.tolerances = {name: measure.tolerance for name, measure in measures.items()}
        at_once = config.micro_batch_size * config.sequence_length
        layout = layout_of(training.recipe.cluster_config(training.stage))
        self._meter = Meter(measures, at_once, config.sequence_length, layout)
        self._look(0)

    def after_step(self, step: int, row: dict[str, Any]) -> None:
        if step in self._looks:
            self._look(step)

    def _look(self, step: int) -> None:
        self.steps.append(step)
        self.scores.append(self._meter.scores(self._training.trainee))


@dataclass(frozen=True)
class Recording:
    """What items scored: `scores` by measure, (1 + looks, items), the first row before the first step."""

    stage: str
    steps: int
    looks: Sequence[int]
    scores: Mapping[str, Scores]

    def save(self, path: Path) -> None:
        plain = {name: np.round(values, 5).tolist() for name, values in self.scores.items()}
        write_json(path, {"stage": self.stage, "steps": self.steps, "looks": list(self.looks), "scores": plain})

    @classmethod
    def load(cls, path: Path) -> Recording:
        plain = read_json(path)
        scores = {name: np.array(values) for name, values in plain["scores"].items()}
        return cls(plain["stage"], plain["steps"], plain["looks"], scores)


def record(recipe: Recipe, stage: str) -> tuple[Recording, Outcome]:
    """Trains `stage` and records its items' scores."""
    recorders: list[Recorder] = []

    def callbacks(vocabulary: data.Vocabulary) -> Sequence[Callback]:
        recorders.append(Recorder(vocabulary))
        return recorders

    outcome = train(recipe, stage, callbacks)
    (recorder,) = recorders
    scores = {name: np.stack([look[name] for look in recorder.scores]) for name in recorder.scores[0]}
    return Recording(stage, recipe.training_config(stage).steps, recorder.steps[1:], scores), outcome
