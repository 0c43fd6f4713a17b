"""Tasks of the harness, and the paper's benchmarks beside its figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from prism.report import load_results, write_report
from prism.report.sections.benchmarks import beside_paper, harness
from tests.report import made_up_run
from tests.report.tables.conftest import write_paper_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    run = write_paper_run(tmp_path / "my_run")
    for stage, share in (("base", 0.5), ("mid", 0.6)):
        made_up_run.write_harness(run, stage, "general_winogrande", {"acc": share, "f1": 0.1})
        made_up_run.write_harness(run, stage, "wikitext", {"word_perplexity": 12.5})
    return run


def test_the_table_has_the_main_metric_of_every_task_at_every_stage(run: Path) -> None:
    shown = harness(load_results(run))
    assert shown is not None and shown.stages == ("base", "mid")
    assert [(row.task, row.metric) for row in shown.rows] == [
        ("general_winogrande", "acc"),
        ("wikitext", "word_perplexity"),
    ]
    assert [one and one.value for one in shown.rows[0].figures] == [0.5, 0.6]


def test_the_chart_leaves_out_what_is_no_share(run: Path) -> None:
    shown = harness(load_results(run))
    assert shown is not None
    (chart,) = shown.figures
    assert [row[0] for row in chart.data.rows] == ["general_winogrande"]
    assert {one.path for one in chart.sources} == {
        f"stages/{stage}/evaluate/{task}.json"
        for stage in ("base", "mid")
        for task in ("general_winogrande", "wikitext")
    }


def test_a_stage_stands_beside_the_papers_figures_of_its_model_and_mixture(run: Path) -> None:
    shown = beside_paper(load_results(run))
    assert shown is not None
    mid = next(one for one in shown.figures if one.title == "Granite-3.3 (8B): mid")
    rows = {row[0]: dict(zip(mid.data.columns, row, strict=True)) for row in mid.data.rows}
    assert rows["AIME24"]["run (score, %)"] == pytest.approx(20)
    assert rows["AIME24"]["paper (score, %)"] == 37.18
    assert "LB V1" not in rows, "an average that isn't measured has no mark"
    assert [table.number for table in shown.tables] == [6, 11]
    assert "stages/mid/evaluate/aime24.json" in {one.path for one in mid.sources}


def test_the_page_shows_both_and_their_footnotes(run: Path) -> None:
    page = write_report(run).read_text()
    for expected in (
        "Benchmarks of lm-evaluation-harness",
        "12.5",
        "The paper&#39;s benchmarks",
        "paper, Table 6",
        "<sup>",
    ):
        assert expected in page or expected.replace("&#39;", "'") in page


def test_a_run_with_none_of_the_benchmarks_has_no_such_part(miniature_run: Path) -> None:
    results = load_results(miniature_run)
    assert beside_paper(results) is None and harness(results) is None
