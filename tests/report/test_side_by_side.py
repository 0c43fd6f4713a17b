"""Benchmarks, weight change and CKA of several runs beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from prism.report import load_results, write_comparison
from prism.report.side_by_side import benchmark_table, moved_table
from tests.report import made_up_run
from tests.report.tables.conftest import write_paper_run


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Granite in bf16 and in fp32; the second has no GPQA and no CKA."""
    first = write_paper_run(tmp_path / "first")
    second = write_paper_run(tmp_path / "second", dtype="float32")
    made_up_run.write_cka(first, "base", "mid", 0.8)
    (second / "stages/mid/evaluate/gpqa_diamond.json").unlink()
    return [first, second]


def test_a_benchmark_is_a_row_with_every_stage_of_every_run(runs: list[Path]) -> None:
    table = benchmark_table([load_results(run) for run in runs])
    assert table is not None and table.stages == (("base", "mid", "rl"), ("base", "mid", "rl"))
    rows = {row.title: [cell.value for cell in row.cells] for row in table.rows}
    assert rows["AIME24"] == pytest.approx([0, 20, 24, 0, 20, 24])
    assert rows["GPQA-D"][1] == pytest.approx(40) and rows["GPQA-D"][4] is None
    assert rows["AVG"][1] is not None and rows["AVG"][4] is None, "an average that lacks a part isn't taken"
    assert "LB V1" not in rows


def test_runs_without_the_papers_benchmarks_have_no_table(miniature_run: Path) -> None:
    assert benchmark_table([load_results(miniature_run)]) is None


def test_a_pair_is_a_row_with_each_runs_figures_as_bf16_has_them(runs: list[Path]) -> None:
    rows = {row.pair: row.runs for row in moved_table([load_results(run) for run in runs])}
    first, second = rows["base → mid"]
    assert (first.unchanged, second.unchanged) == (pytest.approx(4.0), pytest.approx(9.0))
    assert (first.least_cka, second.least_cka) == (0.8, None)
    assert first.relative_l2 == second.relative_l2 == 0.2


def test_the_page_has_both(runs: list[Path], tmp_path: Path) -> None:
    text = write_comparison(runs, tmp_path).read_text()
    for section in ("benchmarks", "moved"):
        assert f'<section id="{section}">' in text and f'href="#{section}"' in text
