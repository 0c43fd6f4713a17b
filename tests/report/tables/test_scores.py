"""Tables 6 and 11: a run's scores beside the paper's."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.files import sha256_file
from prism.report.tables import Cell, Row, Table
from prism.report.tables.compare import OUTSIDE
from prism.report.tables.scores import INCOMPLETE
from tests.report import made_up_run
from tests.report.tables.conftest import AS_IN_PAPER, by_number, write_paper_run


def row(table: Table, *labels: str) -> Row:
    (found,) = [one for one in table.rows if one.labels[-len(labels) :] == labels]
    return found


def cell(table: Table, title: str, *labels: str) -> Cell:
    titles = [column.title for column in table.columns]
    return row(table, *labels).cells[titles.index(title)]


def test_a_stage_stands_above_the_papers_row_of_the_same_model_and_mixture(paper_tables: dict[int, Table]) -> None:
    labels = [one.labels for one in paper_tables[6].rows]
    assert labels == [
        ("Granite-3.3 (8B)", variant, origin)
        for variant, stage in (("Base", "base"), ("MT MCS", "mid"))
        for origin in (f"run, {stage}", "paper, Table 6", "difference")
    ]
    assert cell(paper_tables[6], "AIME24", "MT MCS", "paper, Table 6").value == 37.18


def test_the_difference_is_the_runs_figure_less_the_papers(paper_tables: dict[int, Table]) -> None:
    assert cell(paper_tables[6], "AIME24", "MT MCS", "run, mid").value == pytest.approx(20)
    assert cell(paper_tables[6], "AIME24", "MT MCS", "difference").value == pytest.approx(20 - 37.18)
    assert row(paper_tables[6], "MT MCS", "difference").signed


def test_a_difference_beyond_chance_is_marked(paper_tables: dict[int, Table]) -> None:
    assert cell(paper_tables[11], "AIME24", "MCS", "-", "difference").notes == (OUTSIDE,)
    within = cell(paper_tables[11], "AVG", "MCS", "-", "difference")
    assert within.value == pytest.approx(-1.76, abs=0.01)
    assert within.notes == ()


def test_an_interval_without_width_marks_nothing(paper_tables: dict[int, Table]) -> None:
    ours = cell(paper_tables[6], "AIME24", "Base", "run, base")
    assert (ours.low, ours.value, ours.high) == (0, 0, 0)
    assert cell(paper_tables[6], "AIME24", "Base", "difference").notes == ()


def test_averages_are_the_papers_and_lie_within_their_intervals(paper_tables: dict[int, Table]) -> None:
    ours = cell(paper_tables[11], "AVG", "MCS", "-", "run, mid")
    assert ours.value == pytest.approx(((6 + 5) / 2 + (20 + 18 + 75) / 3 + 40) / 3)
    assert ours.low is not None
    assert ours.high is not None
    assert ours.low < ours.value < ours.high
    parts = cell(paper_tables[11], "GPQA-D", "MCS", "-", "run, mid")
    assert ours.high - ours.low < (parts.high or 0) - (parts.low or 0)


def test_a_figure_names_the_files_that_it_comes_from(paper_run: Path, paper_tables: dict[int, Table]) -> None:
    code = cell(paper_tables[6], "Code Avg", "MT MCS", "run, mid")
    assert [source.path for source in code.sources] == [
        f"stages/mid/evaluate/{task}.json" for task in ("livecodebench", "codeforces")
    ]
    for source in code.sources:
        assert source.sha256 == sha256_file(paper_run / source.path)
    assert cell(paper_tables[6], "Code Avg", "MT MCS", "paper, Table 6").sources == ()


def test_a_missing_benchmark_names_its_command_and_leaves_its_average_out(paper_tables: dict[int, Table]) -> None:
    command = "`prism eval RECIPE --stage rl`"
    missing = cell(paper_tables[11], "GPQA-D", "MCS", "MC", "run, rl")
    assert missing.value is None
    assert command in missing.notes[0]
    average = cell(paper_tables[11], "AVG", "MCS", "MC", "run, rl")
    assert average.value is None
    assert average.notes == (missing.notes[0], INCOMPLETE)
    assert cell(paper_tables[11], "AVG", "MCS", "MC", "difference").value is None
    assert cell(paper_tables[11], "Math Avg", "MCS", "MC", "run, rl").value == pytest.approx((24 + 22 + 78) / 3)


def test_a_stage_that_the_recipe_does_not_evaluate_is_told_how_to(tmp_path: Path) -> None:
    pipeline = {"base": {"stage": "import", "with": {"path": "models/mistral_7b"}, "evaluate": False}}
    made_up_run.write_recipe(tmp_path, {"run": {"name": "new"}, "pipeline": pipeline})
    (note, _) = cell(by_number(tmp_path)[6], "Code Avg", "Base", "run, base").notes
    assert "`prism eval RECIPE --stage base --set pipeline.base.evaluate=true`" in note


def test_an_rl_stage_is_of_the_mix_that_it_draws_from(paper_tables: dict[int, Table]) -> None:
    assert cell(paper_tables[11], "AVG", "MCS", "MC", "paper, Table 11").value == 41.76
    # The paper has no row of RL without mid-training.
    assert [one.labels[1:] for one in paper_tables[11].rows][-1] == ("-", "MCS", "run, rl_from_base")


def test_a_stage_that_was_not_evaluated_has_no_row_of_differences(paper_tables: dict[int, Table]) -> None:
    assert all(one.value is None for one in row(paper_tables[11], "run, rl_from_base").cells)
    assert sum(one.labels[-1] == "difference" for one in paper_tables[11].rows) == 3


def test_a_model_without_a_pipeline_in_the_paper_is_compared_by_averages_computed_from_table_6(tmp_path: Path) -> None:
    table = by_number(write_paper_run(tmp_path, "nemotron_h_8b"))[11]
    theirs = cell(table, "AVG", "MCS", "-", "paper, Table 6")
    assert theirs.value == pytest.approx(((13.02 + 10.52) / 2 + (19.21 + 22.76 + 76.63) / 3 + 31.98) / 3)
    assert "doesn't print it" in theirs.notes[0]
    assert [one.labels[-1] for one in table.rows if one.labels[2] == "MC"] == ["run, rl"]


def test_another_mixture_is_compared_with_the_tables_that_have_it(tmp_path: Path) -> None:
    run = write_paper_run(tmp_path)
    recipe = (run / "recipe.yaml").read_text().replace("blend: math_code_science", "blend: math_code")
    (run / "recipe.yaml").write_text(recipe)
    table = by_number(run)[6]
    theirs = row(table, "MT MC", "paper, Tables 4 and 19")
    assert [one.value for one in theirs.cells][:5] == [66.22, 22.63, 11.11, 10.30, 10.71]
    math = cell(table, "Math Avg", "MT MC", "paper, Tables 4 and 19")
    assert math.value == 44.33
    assert "recomputed 45" in math.notes[0]


def test_a_blend_that_the_paper_does_not_have_stands_alone(tmp_path: Path) -> None:
    run = write_paper_run(tmp_path)
    (run / "recipe.yaml").write_text((run / "recipe.yaml").read_text().replace("math_code_science", "mine"))
    assert [one.labels[1:] for one in by_number(run)[6].rows][3:] == [("MT mine", "run, mid")]


def test_sampling_that_is_not_the_papers_is_told(tmp_path: Path) -> None:
    run = write_paper_run(tmp_path)
    settings = {**AS_IN_PAPER, "samples": 8, "limit": 100}
    made_up_run.write_benchmark(run, "mid", "math500", "math", 0.75, settings)
    table = by_number(run)[6]
    (note,) = cell(table, "MATH500", "MT MCS", "run, mid").notes
    assert note == (
        "math500 was run otherwise than in the paper's section 13: samples 8 (paper 64), the first 100 problems."
    )
    assert note in cell(table, "Math Avg", "MT MCS", "run, mid").notes
    assert cell(table, "AIME24", "MT MCS", "run, mid").notes == ()


def test_a_run_of_another_model_has_its_own_domains_and_the_paper_as_context(
    miniature_tables: dict[int, Table],
) -> None:
    tables = miniature_tables
    assert [column.title for column in tables[6].columns] == ["General", "Code Avg", "Science", "Math Avg"]
    assert cell(tables[11], "AVG", "MCS", "MCS", "run, rl").value == pytest.approx((40.8 + 51 + 88) / 3)
    assert cell(tables[11], "AVG", "LLaMA-3.1 (8B)", "MCS", "MCS", "paper, Table 11").value == 29.69
    assert cell(tables[6], "Science", "Nemotron-H-8k (8B)", "Base", "paper, Table 6").value == 4.21
    assert len([one for one in tables[6].rows if one.labels[-1] == "paper, Table 6"]) == 14
    assert all(one.labels[-1] != "difference" for table in tables.values() for one in table.rows)
    assert any("context, not a comparison" in note for note in tables[6].notes)


def test_the_main_chain_comes_first(miniature_tables: dict[int, Table]) -> None:
    origins = [one.labels[-1] for one in miniature_tables[11].rows]
    assert origins[:2] == ["run, base", "run, mid"]
    assert origins.index("run, rl") < origins.index("run, rl_from_base")


def test_a_run_without_any_result_says_what_makes_every_figure(tmp_path: Path) -> None:
    pipeline = {"base": {"stage": "pretrain"}, "mid": {"stage": "midtrain", "from": "base"}}
    made_up_run.write_recipe(tmp_path, {"run": {"name": "new"}, "pipeline": pipeline})
    for number, table in by_number(tmp_path).items():
        own = [one for one in table.rows if any(label.startswith("run") for label in one.labels)]
        assert own or number in (22, 23)
        assert all(one.value is None and one.notes for line in own for one in line.cells)
        assert table.footnotes
