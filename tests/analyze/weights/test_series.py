"""Series of checkpoints: a stage's kept steps, its checkpoints, and folders by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from prism.analyze.weights.series import Point, entries, follow
from prism.errors import UsageError
from prism.formats.hf_folder import HfFolder, OutTensor
from prism.formats.sparse_difference import difference_writer, write_start_folder
from prism.models.convert import hf_to_megatron
from tests.analyze.weights.naive import figures, moved
from tests.longcontext.made import hf, tensors_of

THRESHOLDS = (0.1, 1.0)


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """A start, and two steps after it, as Hugging Face folders `base`, `1` and `2`."""
    base = hf(tmp_path / "base", 0)
    moved(base, tmp_path / "1", 0.01, 1)
    moved(base, tmp_path / "2", 0.02, 2)
    return tmp_path


def keep(root: Path, folder: Path) -> None:
    """The same as a trajectory's folder of an RL stage."""
    folder.mkdir(parents=True)
    source = HfFolder(root / "base")
    tensors = [
        OutTensor(name, source.shape(name), torch.bfloat16, lambda name=name: source.read(name))
        for name in source.names()
    ]
    start = write_start_folder(folder, "checkpoint", tensors, 1)
    for step in (1, 2):
        new = tensors_of(root / str(step))
        with difference_writer(folder, step, start) as writer:
            for name in source.names():
                writer.add(name, source.read(name), new[name])


def expected(root: Path, step: int) -> dict[str, Any]:
    old, new = tensors_of(root / "base"), tensors_of(root / str(step))
    return figures([(old[name], new[name]) for name in sorted(old) if old[name].ndim > 1], THRESHOLDS)


def assert_points(root: Path, points: tuple[Point, ...]) -> None:
    assert len(points) == 2
    for point, step in zip(points, (1, 2), strict=True):
        wanted = expected(root, step)
        assert point.figures["total"]["relative_l2"] == pytest.approx(wanted["relative_l2"], rel=1e-9)
        assert point.figures["total"]["unchanged_percent"] == wanted["unchanged_percent"]


def test_kept_steps_checkpoints_and_folders_give_the_same_series(stage: Path) -> None:
    run = stage / "run"
    keep(stage, run / "stages" / "rl" / "trajectory")
    hf_to_megatron(stage / "1", stage / "one")
    hf_to_megatron(stage / "2", stage / "two")
    checkpoints = run / "stages" / "long" / "checkpoints"
    checkpoints.mkdir(parents=True)
    for step, name in enumerate(("one", "two"), start=1):
        (stage / name / "step_00000000").rename(checkpoints / f"step_{step:08d}")
        (checkpoints / f"step_{step:08d}" / "state.json").unlink()
    by_hand = follow(entries([str(stage / name) for name in ("base", "1", "2")]), THRESHOLDS, None)
    kept = follow(entries([f"{run}:rl"]), THRESHOLDS, None)
    saved = follow(entries([str(stage / "base"), f"{run}:long"]), THRESHOLDS, None)
    for series in (by_hand, kept, saved):
        assert_points(stage, series.points)
        assert [point.content for point in series.points] == [point.content for point in by_hand.points]
    assert [point.step for point in kept.points] == [1, 2]
    assert [point.step for point in saved.points] == [1, 2]
    named = follow(entries([str(run / "stages" / "rl")]), THRESHOLDS, None)
    assert named.as_json() == kept.as_json()


def test_a_series_that_grew_reads_only_what_is_new(stage: Path) -> None:
    output, read = stage / "out.json", [0]

    def count(size: int) -> None:
        read[0] += size

    series = entries([str(stage / name) for name in ("base", "1", "2")])
    follow(series[:2], THRESHOLDS, output, progress=count)
    first = read[0]
    whole = follow(series, THRESHOLDS, output, progress=count)
    assert read[0] == 2 * first
    assert_points(stage, whole.points)
    assert json.loads(output.read_text())["points"] == json.loads(json.dumps(whole.as_json()))["points"]
    again = follow(series, THRESHOLDS, output, progress=count)
    assert read[0] == 2 * first
    assert again.as_json() == whole.as_json()
    follow(series, (5.0,), output, progress=count)
    assert read[0] == 4 * first


def test_points_that_are_done_are_kept_when_a_later_one_is_broken(stage: Path) -> None:
    output = stage / "out.json"
    shard = next((stage / "2").glob("*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-1])
    series = entries([str(stage / name) for name in ("base", "1", "2")])
    with pytest.raises(Exception, match="not a whole safetensors file"):
        follow(series, THRESHOLDS, output)
    (point,) = json.loads(output.read_text())["points"]
    assert point["name"].endswith("/1")


def test_one_checkpoint_is_no_series_and_a_foreign_output_is_left_alone(stage: Path) -> None:
    with pytest.raises(UsageError, match="needs a start and a checkpoint after it"):
        entries([str(stage / "base")])
    (stage / "mine.json").write_text("[1]")
    with pytest.raises(UsageError, match="the output is no trajectory of ours"):
        follow(entries([str(stage / "base"), str(stage / "1")]), THRESHOLDS, stage / "mine.json")
    assert (stage / "mine.json").read_text() == "[1]"
