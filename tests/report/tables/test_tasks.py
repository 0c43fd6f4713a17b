"""A run that was evaluated on our tasks of the paper's benchmarks: the tables have its figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from data_prep.files import write_jsonl
from prism.cli import app
from prism.evaluate.runner import evaluate_tasks
from prism.evaluate.subject import server_subject
from prism.evaluate.task import GenerateTask, load_task
from prism.report.tables import Table
from tests.evaluate.rows.test_codeforces import problem
from tests.evaluate.rows.test_livecodebench import function_row, program_row
from tests.evaluate.rows.test_small_sets import gpqa
from tests.evaluate.scripted import MODEL, Script, scripted_server, tokenizer_folder
from tests.report import made_up_run
from tests.report.tables.conftest import by_number
from tests.report.tables.test_scores import cell
from tests.score.tiers import contained_by

ADDS = "```python\nprint(sum(map(int, input().split())))\n```"
DOUBLES = "```python\nprint(2 * int(input()))\n```"
MATH = [{"problem": f"What is {n} + 0?", "answer": f"0{n}"} for n in range(4)]
ROWS: dict[str, list[dict[str, Any]]] = {
    "livecodebench": [program_row(), function_row(), program_row(contest_date="2023-06-01")],
    "codeforces": [problem(), problem(interaction_format="Ask.")],
    "aime24": MATH,
    "aime25": MATH,
    "math500": MATH,
    "gpqa_diamond": [gpqa(n) for n in range(2)],
}
SAID: dict[str, list[str]] = {
    "livecodebench": [DOUBLES] * 2,
    "codeforces": [ADDS],
    "aime24": ["\\boxed{0}"] * 4,
    "aime25": ["\\boxed{7}"] * 4,
    "math500": [f"\\boxed{{{n}}}" for n in range(4)],
    "gpqa_diamond": ["\\boxed{A} and \\boxed{B}"] * 2,
}
EXPECTED = {"LCB": 50, "CF": 100, "AIME24": 25, "AIME25": 0, "MATH500": 100, "GPQA-D": 0}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run whose stage `mid` was evaluated on the suite, sampled as its tasks say."""
    run, folder = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("data")
    pipeline = {
        "base": {"stage": "import", "with": {"path": "models/granite_3_3_8b"}},
        "mid": {"stage": "midtrain", "from": "base"},
    }
    made_up_run.write_recipe(run, {"midtrain": {"blend": "math_code_science"}, "pipeline": pipeline})
    tokenizer = tokenizer_folder(folder)
    with scripted_server() as script, contained_by("landlock"):
        for name, rows in ROWS.items():
            _evaluate(name, rows, script, tokenizer, folder, run / "stages/mid/evaluate")
        yield run


def _evaluate(name: str, rows: list[dict[str, Any]], script: Script, tokenizer: Path, folder: Path, out: Path) -> None:
    write_jsonl(folder / f"{name}.jsonl", rows)
    task = load_task(name)
    assert isinstance(task, GenerateTask)
    script.give([[text] * task.samples for text in SAID[name]])
    own = task.model_copy(update={"path": str(folder / f"{name}.jsonl")})
    evaluate_tasks(server_subject(script.url, MODEL, tokenizer), [own], out)


@pytest.fixture(scope="module")
def tables(evaluated: Path) -> dict[int, Table]:
    return by_number(evaluated)


@pytest.mark.parametrize("title", EXPECTED)
def test_every_benchmark_of_the_suite_is_in_table_6(title: str, tables: dict[int, Table]) -> None:
    assert cell(tables[6], title, "MT MCS", "run, mid").value == pytest.approx(EXPECTED[title])


def test_averages_are_complete_with_the_suite(tables: dict[int, Table]) -> None:
    assert cell(tables[11], "AVG", "MCS", "-", "run, mid").value == pytest.approx((75 + 125 / 3 + 0) / 3)


def test_what_the_tasks_leave_out_is_a_footnote_and_nothing_is_sampled_otherwise(tables: dict[int, Table]) -> None:
    notes = tables[6].footnotes
    assert "codeforces leaves out, of the data's rows: 1 interactive." in notes
    assert any("livecodebench leaves out, of the data's rows: 1 contests outside" in note for note in notes)
    assert not any("run otherwise than in the paper" in note for note in notes)


def test_the_command_prints_them(evaluated: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(evaluated), "--tables", "--only", "6"])
    assert result.exit_code == 0 and "AIME24" in result.output and "codeforces leaves out" in result.output


def test_results_have_their_groups(evaluated: Path) -> None:
    found = json.loads((evaluated / "stages/mid/evaluate/livecodebench.json").read_text())
    rates = {name: one["metrics"]["pass_rate"]["value"] for name, one in found["groups"]["difficulty"].items()}
    assert rates == {"easy": 1.0, "hard": 0.0}
