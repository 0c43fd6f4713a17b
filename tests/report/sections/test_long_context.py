from pathlib import Path

from prism.report import load_results
from prism.report.sections.long_context import long_context
from tests.report import made_up_run

PIPELINE = {"base": {"stage": "pretrain"}, "mid": {"stage": "midtrain", "from": "base"}}


def test_scores_are_means_over_the_tasks_of_a_length(tmp_path: Path) -> None:
    made_up_run.write_recipe(tmp_path, {"pipeline": PIPELINE})
    for stage, task, length, score in (
        ("base", "one", 64, 1.0), ("base", "one", 256, 0.8), ("base", "other", 256, 0.6), ("mid", "one", 256, 0.25),
    ):  # fmt: skip
        made_up_run.write_ruler(tmp_path, stage, task, length, score)
    found = long_context(load_results(tmp_path))
    assert found is not None
    assert found.lengths == (64, 256)
    assert found.tasks == ("one", "other")
    assert {row.stage: [score and round(score, 6) for score in row.scores] for row in found.rows} == {
        "base": [100.0, 70.0],
        "mid": [None, 25.0],
    }


def test_without_a_score_there_is_no_figure(tmp_path: Path) -> None:
    made_up_run.write_recipe(tmp_path, {"pipeline": PIPELINE})
    assert long_context(load_results(tmp_path)) is None
