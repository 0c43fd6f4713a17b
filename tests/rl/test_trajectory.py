"""The trajectory of a stage: what comes back is what was trained, whatever the layout and however often it stopped."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from prism.recipe.schema.trajectory import TrajectoryConfig
from prism.rl.trajectory import Trajectory, load_step, saved, steps
from tests.models.tiny_io import run
from tests.rl.trajectory_worker import JOBS, KEPT

pytestmark = pytest.mark.xdist_group("rl_trajectory")  # what is run once is shared


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trajectories")
    for processes in JOBS:
        run("tests.rl.trajectory_worker", folder, ranks=processes)
    return folder


@pytest.mark.parametrize("job", [job for jobs in JOBS.values() for job in jobs])
def test_every_kept_step_is_bf16_of_the_weights_of_that_step(jobs: Path, job: str) -> None:
    folder = jobs / job / "trajectory"
    assert steps(folder) == list(KEPT)
    for step in KEPT:
        truth, found = load_file(jobs / job / "truth" / f"{step}.safetensors"), dict(load_step(folder, step))
        assert found.keys() == truth.keys()
        for name, tensor in truth.items():
            assert torch.equal(found[name].view(torch.int16), tensor.view(torch.int16)), name
    assert 0 < saved(folder).bytes < saved(folder).dense_bytes


def test_steps_differ(jobs: Path) -> None:
    first, last = (dict(load_step(jobs / "dense TP2" / "trajectory", step)) for step in (KEPT[0], KEPT[-1]))
    assert any(not torch.equal(first[name], last[name]) for name in first)


def test_when_the_first_rank_fails_all_do_and_the_step_can_be_kept_later(jobs: Path) -> None:
    for rank in (0, 1):
        full, other = (jobs / "fails" / f"{rank}.txt").read_text().splitlines()
        assert full.startswith("ResourcesExhausted: the disk is full")
        assert other.startswith("BadInput: this trajectory starts from another checkpoint")
    assert steps(jobs / "fails" / "trajectory") == [2]


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (TrajectoryConfig(), []),
        (TrajectoryConfig(steps=[1, 7]), [1, 7]),
        (TrajectoryConfig(every_steps=4), [4, 8]),
        (TrajectoryConfig(steps=[1], every_steps=5), [1, 5, 10]),
    ],
)
def test_the_recipe_names_the_steps(config: TrajectoryConfig, wanted: list[int], tmp_path: Path) -> None:
    trajectory = Trajectory(tmp_path, config, parent=None)  # type: ignore[arg-type]  # never asked for here
    assert [step for step in range(1, 11) if trajectory.wants(step)] == wanted
