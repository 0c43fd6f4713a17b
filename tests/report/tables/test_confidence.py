"""Table 15: correctness, length and confidence."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.files import write_jsonl
from prism.report.tables import Table
from tests.report.tables.conftest import by_number, write_confidence, write_paper_run


def values(table: Table, stage: str, origin: str) -> list[float | None]:
    (found,) = [row for row in table.rows if row.labels[1:] == (stage, origin)]
    return [cell.value for cell in found.cells]


def test_a_measured_stage_stands_above_the_papers(paper_tables: dict[int, Table]) -> None:
    table = paper_tables[15]
    assert values(table, "MT", "run, mid") == pytest.approx([10, 131, 0.4, 0.4, 0.4])
    assert values(table, "Base", "run, base") == [0, 131, pytest.approx(0.4), None, pytest.approx(0.4)]
    assert values(table, "Base", "paper") == [16.9, 120, 0.382, None, 0.383]
    assert values(table, "Base", "difference") == pytest.approx([-16.9, 11, 0.018, None, 0.017])
    assert table.sources[0].path == "stages/base/evaluate/math500_confidence.samples.jsonl"


@pytest.mark.parametrize(
    ("problems", "samples", "changed"), [(199, 8, {}), (200, 4, {}), (200, 8, {"temperature": 1.0})]
)
def test_fewer_problems_or_other_sampling_than_the_papers_make_no_difference(
    tmp_path: Path, problems: int, samples: int, changed: dict[str, float]
) -> None:
    run = write_paper_run(tmp_path)
    write_confidence(run, problems, samples, changed)
    table = by_number(run)[15]
    assert ("Base", "difference") not in [row.labels[1:] for row in table.rows]
    assert any("Not all 8 samples of each of the paper's 200 problems" in note for note in table.footnotes)


def test_the_papers_problems_count_alone(tmp_path: Path) -> None:
    run = write_paper_run(tmp_path)
    write_confidence(run)
    responses = [{"text": "yes", "correct": True, "tokens": 10, "nll": 9.0}]
    line = {"id": "1", "prompt": "Q", "answer": "yes", "responses": responses, "greedy": None}
    write_jsonl(run / "stages/mid/evaluate/math500.samples.jsonl", [line])
    assert values(by_number(run)[15], "MT", "run, mid") == pytest.approx([10, 131, 0.4, 0.4, 0.4])


def test_a_stage_that_was_not_measured_names_its_command(paper_tables: dict[int, Table]) -> None:
    (row,) = [row for row in paper_tables[15].rows if row.labels[1:] == ("RL", "run, rl")]
    assert all(cell.value is None and "`prism eval RECIPE`" in cell.notes[0] for cell in row.cells)
    assert ("RL", "difference") not in [one.labels[1:] for one in paper_tables[15].rows]
    assert values(paper_tables[15], "RL", "paper")[0] == 79.5


def test_responses_to_other_tasks_are_told_but_not_compared(tmp_path: Path) -> None:
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
