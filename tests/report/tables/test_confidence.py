"""Table 15: correctness, length and confidence."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.files import write_jsonl
from prism.errors import BadInput
from prism.evaluate.task import load_task
from prism.report.tables import Table
from tests.report import made_up_run
from tests.report.tables.conftest import by_number, write_paper_run


def values(table: Table, stage: str, origin: str) -> list[float | None]:
    (found,) = [row for row in table.rows if row.labels[1:] == (stage, origin)]
    return [cell.value for cell in found.cells]


def test_a_measured_stage_stands_above_the_papers(paper_tables: dict[int, Table]) -> None:
    table = paper_tables[15]
    assert values(table, "Base", "run, base") == [pytest.approx(16), 130, 0.4, None, 0.41]
    assert values(table, "Base", "paper") == [16.9, 120, 0.382, None, 0.383]
    assert values(table, "Base", "difference") == pytest.approx([-0.9, 10, 0.018, None, 0.027])
    assert table.sources[0].path == "analysis/confidence/base.json"


def test_a_stage_that_was_not_measured_names_its_command(paper_tables: dict[int, Table]) -> None:
    (row,) = [row for row in paper_tables[15].rows if row.labels[1:] == ("RL", "run, rl")]
    assert all(cell.value is None and "`prism eval RECIPE`" in cell.notes[0] for cell in row.cells)
    assert ("RL", "difference") not in [one.labels[1:] for one in paper_tables[15].rows]
    assert values(paper_tables[15], "RL", "paper")[0] == 79.5


def test_without_an_analysis_the_responses_of_the_evaluation_are_told_but_not_compared(tmp_path: Path) -> None:
    run = write_paper_run(tmp_path)
    responses = [
        {"text": "yes", "correct": True, "tokens": 10, "nll": 0.1},
        {"text": "no", "correct": False, "tokens": 30, "nll": 0.5},
    ]
    line = {"id": "1", "prompt": "Q", "answer": "yes", "responses": responses, "greedy": None}
    write_jsonl(run / "stages/mid/evaluate/math500.samples.jsonl", [line])
    table = by_number(run)[15]
    assert values(table, "MT", "run, mid") == pytest.approx([50, 20, 0.3, 0.1, 0.5])
    assert [source.path for source in table.sources] == ["stages/mid/evaluate/math500.samples.jsonl"]
    assert any("not of the paper's problems" in note for note in table.footnotes)
    assert ("MT", "paper") in [row.labels[1:] for row in table.rows]
    assert ("MT", "difference") not in [row.labels[1:] for row in table.rows]


def test_our_task_of_the_papers_problems_is_compared(tmp_path: Path) -> None:
    run = write_paper_run(tmp_path)
    settings = load_task("math500_confidence").model_dump(mode="json")
    made_up_run.write_benchmark(run, "mid", "math500_confidence", "math", 0.5, settings)
    for task, nll in (("math500", 9.0), ("math500_confidence", 0.1)):
        responses = [{"text": "yes", "correct": True, "tokens": 10, "nll": nll}]
        line = {"id": "1", "prompt": "Q", "answer": "yes", "responses": responses, "greedy": None}
        write_jsonl(run / f"stages/mid/evaluate/{task}.samples.jsonl", [line])
    table = by_number(run)[15]
    assert values(table, "MT", "run, mid") == pytest.approx([100, 10, 0.1, 0.1, None])
    assert values(table, "MT", "difference")[0] == pytest.approx(100 - 75.5)
    assert [source.path for source in table.sources] == ["stages/mid/evaluate/math500_confidence.samples.jsonl"]
    made_up_run.write_benchmark(run, "mid", "math500_confidence", "math", 0.5, {**settings, "limit": 20})
    assert ("MT", "difference") not in [row.labels[1:] for row in by_number(run)[15].rows]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    run = write_paper_run(tmp_path)
    damaged = run / "analysis/confidence/mid.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text('{"stages": [{"stage": "mid"}]}')
    with pytest.raises(BadInput, match=rf"stages.0.overall.*{damaged.name}|{damaged}"):
        by_number(run)
