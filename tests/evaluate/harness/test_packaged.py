"""The packaged tasks name tasks that the harness has; the suites are the leaderboards'."""

from __future__ import annotations

import pytest

from prism.evaluate.task import HarnessTask, load_task, load_tasks, task_names
from tests.evaluate.harness.conftest import harness_or_skip

SHOTS = {"arc_challenge": 25, "hellaswag": 10, "mmlu": 5, "truthfulqa_mc2": 0, "winogrande": 5, "gsm8k": 5}


def harness_tasks(names: list[str]) -> list[HarnessTask]:
    return [task for task in load_tasks(names) if isinstance(task, HarnessTask)]


@pytest.mark.xdist_group("harness")
def test_every_packaged_task_is_one_of_the_harness() -> None:
    harness_or_skip()
    from prism.evaluate.harness.load import _manager

    tasks = harness_tasks(task_names())
    assert len(tasks) >= 12
    assert [task.name for task in tasks if task.task not in _manager(task.folder).all_tasks] == []


def test_the_first_leaderboard_has_its_numbers_of_shots() -> None:
    assert {task.task: task.num_fewshot for task in harness_tasks(["general_v1"])} == SHOTS


def test_the_second_leaderboard_is_whole() -> None:
    names = {task.task.removeprefix("leaderboard_") for task in harness_tasks(["general_v2"])}
    assert names == {"ifeval", "bbh", "math_hard", "gpqa", "musr", "mmlu_pro"}


def test_what_math_needs_is_told_before_it_runs() -> None:
    task = load_task("leaderboard_math_hard")
    assert isinstance(task, HarnessTask) and task.requires == ("antlr4-python3-runtime==4.11.0",)
