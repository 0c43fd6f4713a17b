"""Path and plane of a landscape in the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from prism.report import load_results, write_report
from prism.report.sections.landscape import landscape
from tests.report import made_up_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    pipeline = {"base": {"stage": "pretrain"}, "mid": {"stage": "midtrain", "from": "base"}}
    made_up_run.write_recipe(tmp_path, {"pipeline": pipeline})
    return tmp_path


def test_the_path_has_intervals_and_the_plane_all_points(run: Path) -> None:
    made_up_run.write_landscape(run)
    path, plane = landscape(load_results(run))
    assert path.title == "Pass rate of miniature_math along the path"
    assert path.data.columns[1:] == ("miniature_math", "miniature_math, low", "miniature_math, high")
    assert [row[0] for row in path.data.rows] == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]
    assert path.data.rows[-1][1] == pytest.approx(42)
    assert plane.svg.count("<rect") == 25 and "\u03b2 0.5, \u03b1 1: 36.000" in plane.svg
    assert plane.data.rows[0] == pytest.approx((0, 0, 1.875, 7.5, 16.875, 30))


def test_an_unfinished_landscape_shows_its_path_alone_and_says_so(run: Path) -> None:
    made_up_run.write_landscape(run, complete=False)
    (path,) = landscape(load_results(run))
    assert "Not all points are there yet" in path.note and len(path.data.rows) == 7


def test_a_run_without_one_has_no_section(run: Path) -> None:
    assert landscape(load_results(run)) == ()
    assert 'id="landscape"' not in write_report(run).read_text()
    made_up_run.write_landscape(run)
    text = write_report(run).read_text()
    assert '<section id="landscape">' in text and "analysis/landscape.json" in text
