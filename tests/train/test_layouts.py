"""Every layout trains alike: the first 20 losses from one checkpoint, dense and hybrid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.train.conftest import SmallRun

LAYOUTS = {
    "TP2": ["cluster.tensor_parallel=2"],
    "PP2": ["cluster.pipeline_parallel=2"],
    "DP2": [],
    "CP2": ["cluster.context_parallel=2"],
}
SHORT = ["pipeline.base.with.steps=1", "pipeline.mid.with.steps=20", "midtrain.schedule.warmup_steps=5"]

pytestmark = pytest.mark.xdist_group("train_layouts")  # one process makes what its tests share


@pytest.fixture(scope="module", params=["miniature", "miniature_hybrid"])
def one_process(request: pytest.FixtureRequest, small_run: Callable[..., SmallRun]) -> tuple[SmallRun, list[float]]:
    """A run whose `base` is the common start, and the losses of `mid` on one process."""
    run = small_run(request.param, *SHORT, *_eight_layers(request.param))
    run.train("base")
    alone = run.copy(run.directory.with_name("alone"))
    return run, [row["loss"] for row in alone.train("mid")]


def _eight_layers(recipe: str) -> list[str]:
    """The hybrid's seven layers don't split in two; one more MLP makes them even."""
    return ["model.num_layers=8", "model.hybrid_pattern=M-M*-M--"] if recipe == "miniature_hybrid" else []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_first_20_losses_equal_one_processs(
    one_process: tuple[SmallRun, list[float]], layout: str, tmp_path: Path
) -> None:
    run, expected = one_process
    spread = run.copy(tmp_path / layout)
    overrides = [*LAYOUTS[layout], "cluster.processes=2", "midtrain.micro_batch_size=8"]
    losses = [row["loss"] for row in spread.train("mid", overrides, processes=2)]
    assert len(losses) == 20
    assert losses == pytest.approx(expected, rel=1e-5)
