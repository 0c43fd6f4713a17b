"""Weight change: as stored and rounded to bf16, by part and layer; directions, footprints and trajectories."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from data_prep.files import write_json
from prism.analyze.weights import Asked, analyse, open_sources
from prism.analyze.weights.footprint import footprint
from prism.analyze.weights.series import entries, follow
from prism.report import Results, load_results
from prism.report.sections.relations import relations
from prism.report.sections.series import weight_series
from prism.report.sections.weights import weights
from tests.analyze.weights.naive import moved
from tests.longcontext.made import hf
from tests.report import made_up_run


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A run of two stages in fp32 whose analysis is real."""
    run = tmp_path_factory.mktemp("weights")
    pipeline = {"base": {"stage": "pretrain"}, "mid": {"stage": "midtrain", "from": "base"}}
    made_up_run.write_recipe(run, {"pipeline": pipeline})
    base = hf(run / "base", 0, dtype=torch.float32)
    folders = [base, moved(base, run / "mid", 0.005, 1), moved(base, run / "other", 0.02, 2)]
    sources = open_sources([str(folder) for folder in folders], ["base", "mid", "other"])
    done = analyse(sources, Asked(((0, 1), (0, 2)), relations=(((0, 1), (0, 2)),)))
    write_json(run / "analysis/weights/base__mid.json", done.comparisons[0].as_json())
    path = run / "analysis/relations/base__mid.base__other.json"
    write_json(path, {**done.as_json(), "footprint": footprint(done).as_json()})
    series = entries([str(folder) for folder in folders])
    numbered = [series[0], *(type(one)(one.name, 10 * place, one.open) for place, one in enumerate(series[1:], 1))]
    follow(numbered, (0.1, 1.0), run / "analysis/trajectory/mid.json")
    return load_results(run)


def test_fp32_and_what_is_left_in_bf16_are_rows_and_figures_of_their_own(results: Results) -> None:
    shown = weights(results)
    assert [row.dtype for row in shown.rows] == ["float32", "bfloat16, rounded"]
    stored, rounded = (row.unchanged for row in shown.rows)
    comparison = results.weights["base", "mid"]
    assert comparison.in_bf16 is not None
    assert stored == comparison.total.unchanged_percent[1.0]
    assert rounded == comparison.in_bf16.total.unchanged_percent[1.0] != stored
    titles = [figure.title for figure in shown.in_bf16]
    assert titles == ["Unchanged in bf16, by what counts as unchanged", "Unchanged in bf16 by sub-component"]
    assert not {figure.title for figure in shown.figures} & set(titles)


def test_bf16_weights_have_no_second_set_of_figures(tmp_path: Path) -> None:
    made_up_run.write_recipe(tmp_path, {"pipeline": {"base": {"stage": "pretrain"}}})
    made_up_run.write_weights(tmp_path, "base", "mid", 0.1, 5.0, dtype="bfloat16")
    shown = weights(load_results(tmp_path))
    assert [row.dtype for row in shown.rows] == ["bfloat16"] and shown.in_bf16 == ()


def test_the_grid_holds_every_tensor_of_every_layer(results: Results) -> None:
    grid = next(one for one in weights(results).figures if one.title == "Relative change by part and layer, base → mid")
    tensors = results.weights["base", "mid"].tensors
    rows = {row[0]: row[1:] for row in grid.data.rows}
    for tensor in tensors:
        same = [one for one in tensors if (one.layer, one.sub_component) == (tensor.layer, tensor.sub_component)]
        if tensor.layer is not None and len(same) == 1:
            assert rows[tensor.sub_component][tensor.layer] == pytest.approx(tensor.relative_l2)


def test_layers_are_pooled_as_the_analysis_pools_them(results: Results) -> None:
    chart = next(one for one in weights(results).figures if one.title == "Relative change by layer")
    pooled = results.weights["base", "mid"].by_layer
    assert dict(chart.data.rows) == {float(layer): change.relative_l2 for layer, change in pooled.items()}


def test_directions_and_footprints_come_from_their_file(results: Results) -> None:
    shown = relations(results)
    assert shown is not None and shown.thresholds == (0.0, 1.0) and shown.figure is not None
    (row,) = shown.rows
    assert (row.first, row.second) == ("base → mid", "base → other")
    (relation,) = next(iter(results.relations.values())).relations
    assert row.cosine == relation.total.cosine is not None
    assert row.overlaps[1] == relation.total.overlap[1.0]
    assert row.footprint is not None and row.footprint.l2_by_matrix.count == 30
    assert [one.path for one in shown.figure.sources] == ["analysis/relations/base__mid.base__other.json"]


def test_a_trajectory_is_a_point_a_checkpoint_in_fp32_and_in_bf16(results: Results) -> None:
    distance, unchanged = weight_series(results)
    assert distance.data.columns == ("step", "mid, float32", "mid, rounded to bf16")
    assert [row[0] for row in distance.data.rows] == [10, 20]
    (series,) = results.trajectories.values()
    assert [row[1] for row in distance.data.rows] == [point.figures.total.relative_l2 for point in series.points]
    assert [row[1] for row in unchanged.data.rows] == [
        point.figures.total.unchanged_percent[1.0] for point in series.points
    ]


def test_nothing_is_shown_of_what_was_not_analysed(tmp_path: Path) -> None:
    made_up_run.write_recipe(tmp_path, {"pipeline": {"base": {"stage": "pretrain"}}})
    bare = load_results(tmp_path)
    assert relations(bare) is None and weight_series(bare) == ()
