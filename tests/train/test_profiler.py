"""Some steps under the profiler, once."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from prism.megatron.parallel import Layout, process_groups
from prism.recipe.schema.operation import ProfileConfig
from prism.train.profiler import Profiler
from tests.train.standing_in import stage_in

if TYPE_CHECKING:
    from prism.train.callback import Training


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Training]:
    with process_groups(Layout(), seed=1):
        yield stage_in(tmp_path)


def train(stage: Training, settings: ProfileConfig | None, first: int, last: int) -> None:
    """Steps that each take the sine of as many numbers as the step's number says."""
    profiler = Profiler(settings)
    profiler.begin(stage, first - 1)
    for step in range(first, last + 1):
        profiler.before_step(step)
        torch.ones(step).sin()
        profiler.after_step(step, {})
    profiler.end()


def sines(stage: Training) -> int:
    with gzip.open(stage.folder / "profile/rank0.trace.json.gz") as trace:
        return sum(event["name"] == "aten::sin" for event in json.load(trace)["traceEvents"])


def test_the_steps_that_the_recipe_names_are_recorded(stage: Training) -> None:
    train(stage, ProfileConfig(first_step=3, steps=2), 1, 8)
    assert sines(stage) == 2
    table = (stage.folder / "profile/rank0.txt").read_text()
    assert table.startswith("Steps 3 to 4\n")
    assert "aten::sin" in table


def test_a_resume_records_nothing_again(stage: Training) -> None:
    train(stage, ProfileConfig(first_step=3, steps=2), 1, 8)
    train(stage, ProfileConfig(first_step=3, steps=3), 6, 12)
    assert sines(stage) == 2


def test_what_an_end_cut_short_is_recorded_after_the_resume(stage: Training) -> None:
    train(stage, ProfileConfig(first_step=3, steps=4), 1, 4)
    assert not (stage.folder / "profile").exists()
    train(stage, ProfileConfig(first_step=3, steps=4), 5, 10)
    assert sines(stage) == 4
    assert (stage.folder / "profile/rank0.txt").read_text().startswith("Steps 5 to 8\n")


def test_other_ranks_and_recipes_without_it_record_nothing(stage: Training) -> None:
    train(stage, None, 1, 12)
    train(stage, ProfileConfig(first_step=1, ranks=[1, 2]), 1, 12)
    assert not (stage.folder / "profile").exists()
