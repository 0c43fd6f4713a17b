"""A gate over items whose scores a test writes down itself, in a stage that takes note of what is done to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from prism.megatron.parallel import Layout, process_groups
from prism.recipe import MidtrainConfig, Recipe, load_recipe
from prism.train.held_out import Passage
from prism.train.retention import RetentionGate, gate
from prism.train.retention.degradation import Floats
from prism.train.retention.measures import TextItems

ITEMS, STEPS, EVERY = 200, 100, 10
SETTINGS = (
    f"midtrain.steps={STEPS}",
    f"midtrain.retention.every_steps={EVERY}",
    "midtrain.schedule.warmup_steps=2",
    "data.sources.general.holdout=0.01",
)


@pytest.fixture(scope="module")
def alone() -> Iterator[None]:
    with process_groups(Layout(), seed=1):
        yield


@dataclass
class WrittenStage:
    """What `prism.train.callback.Training` promises; `loss_percent` is what the model has lost since the start."""

    recipe: Recipe
    folder: Path
    trainee: Any
    stage: str = "mid"
    checkpoints: tuple[int, ...] = ()
    switches: list[tuple[int, str]] = field(default_factory=list)
    went_back_to: int | None = None

    @property
    def config(self) -> MidtrainConfig:
        return self.recipe.training_config(self.stage)

    def switch_blend(self, step: int, blend: str, reason: str) -> None:
        self.switches.append((step, blend))

    def back_to(self, step: int) -> int | None:
        self.went_back_to = step
        return max((saved for saved in self.checkpoints if saved <= step), default=None)


class WrittenMeter:
    """Documents that lose what the trainee says, each a little more or less."""

    tokens = 1_000

    def __init__(self, measures: Mapping[str, Any], *arguments: object) -> None:
        self._measures = measures

    def scores(self, trainee: Any) -> dict[str, Floats]:
        generator = np.random.default_rng(4)
        base = generator.lognormal(4, 0.3, ITEMS)
        noise = 0.02 * generator.standard_normal(ITEMS) * base if trainee.loss_percent else 0.0
        return dict.fromkeys(self._measures, base * (1 + trainee.loss_percent / 100) + noise)


@pytest.fixture
def stage(alone: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a stage whose gate reads written scores: stage(*overrides)."""
    passages = [Passage([0, number % 50], 1, number) for number in range(ITEMS)]
    measures = {"general": TextItems(passages, 1e4, 2.0, 2.0)}
    monkeypatch.setattr(gate, "read_measures", lambda *arguments: measures)
    monkeypatch.setattr(gate, "Meter", WrittenMeter)

    def make(*overrides: str) -> WrittenStage:
        recipe = load_recipe("miniature", ["midtrain.retention=null", *SETTINGS, *overrides])
        return WrittenStage(recipe, tmp_path, SimpleNamespace(loss_percent=0.0))

    return make


def run(
    training: WrittenStage, losses: Mapping[int, float], state: dict[str, Any] | None = None, after: int = 0
) -> tuple[RetentionGate, dict[int, dict[str, Any]]]:
    """Steps `after` + 1 on; at a step of `losses` the model has lost so many percent. Returns the gate and its rows."""
    watching = RetentionGate(None)  # type: ignore[arg-type]  read_measures is written down
    if state is not None:
        watching.restore(state)
    watching.begin(training, after)
    rows: dict[int, dict[str, Any]] = {}
    for step in range(after + 1, STEPS + 1):
        training.trainee.loss_percent = losses.get(step, training.trainee.loss_percent)
        row: dict[str, Any] = {"step": step}
        watching.before_step(step)
        watching.after_step(step, row)
        if "retention" in row:
            rows[step] = row["retention"]["general"]
    return watching, rows
