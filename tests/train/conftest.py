"""A small miniature: the real recipe on a short world, run by real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from data_prep import api as data
from prism.pipeline.budgets import blend_uses
from prism.recipe import load_recipe
from tests.forks import run_program

SMALL_WORLD = {
    "general": 20_000,
    "song": 12_000,
    "arithmetic": 6_000,
    "raw_questions": 6_000,
    "math": 30_000,
    "code": 16_000,
    "science": 16_000,
}
TIMING = ("timing",)
WORKER = str(Path(__file__).with_name("worker.py"))


@dataclass(frozen=True)
class SmallRun:
    """A run directory with its data prepared, and the recipe that made it."""

    recipe: str
    overrides: tuple[str, ...]
    directory: Path

    def copy(self, directory: Path) -> SmallRun:
        """The same run elsewhere, with all that it has done so far."""
        shutil.copytree(self.directory, directory)
        moved = (f"run.directory={directory.parent}", f"run.name={directory.name}")
        return SmallRun(self.recipe, (*self.overrides, *moved), directory)

    def train(self, stage: str, overrides: Sequence[str] = (), processes: int = 1) -> list[dict[str, Any]]:
        """Trains `stage` to its end; returns its metrics."""
        run_program(WORKER, [self.recipe, stage, *self.overrides, *overrides], processes)
        return self.metrics(stage)

    def train_until_killed(self, stage: str, steps: int) -> None:
        """Starts `stage` and kills it once it has logged `steps` steps."""
        log = self.directory / "stages" / stage / "metrics.jsonl"
        process = subprocess.Popen(
            [sys.executable, WORKER, self.recipe, stage, *self.overrides],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 120
        while not log.exists() or log.read_text().count("\n") < steps:
            assert process.poll() is None, "the stage ended before it could be killed"
            assert time.monotonic() < deadline, "the stage never got that far"
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def metrics(self, stage: str) -> list[dict[str, Any]]:
        """The stage's metrics, without what depends on the clock."""
        lines = (self.directory / "stages" / stage / "metrics.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        return [{key: value for key, value in row.items() if key not in TIMING} for row in rows]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PRISM_BACKEND": "cpu"}


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., SmallRun]:
    """Makes a small run of a packaged recipe: data prepared, nothing trained."""

    def make(recipe: str, *overrides: str) -> SmallRun:
        root = tmp_path_factory.mktemp("runs")
        world = [f"data.world.tokens.{source}={words}" for source, words in SMALL_WORLD.items()]
        common = (f"run.directory={root}", f"run.name={recipe}", *world, *overrides)
        composed = load_recipe(recipe, common)
        data.prepare(composed.data, composed.data_directory)
        for use in blend_uses(composed):
            data.lock(
                composed.data,
                composed.data_directory,
                use.blend,
                use.tokens,
                composed.run.seed,
                samples=use.samples,
                packing=use.packing,
            )
        return SmallRun(recipe, common, composed.run_directory)

    return make
