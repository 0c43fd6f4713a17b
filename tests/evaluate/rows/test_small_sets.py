"""Rows of MATH-500, AIME, GPQA and HumanEval, by the columns of their mirrors."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from prism.errors import BadInput
from prism.evaluate.rows import read_rows
from prism.evaluate.rows.records import data_files, records
from prism.evaluate.rows.settings import GpqaRows, HumanEvalRows, MathRows
from prism.score import verify

DATA = Path(os.environ.get("PRISM_DATA", Path(__file__).parents[4] / "shared" / "data"))
MATH = MathRows(kind="math")
BOX = "within \\boxed{}."


def one(settings: Any, row: dict[str, Any]) -> Any:
    (made,) = read_rows(settings, [("rows.jsonl:1", row)]).rows
    return made


@pytest.mark.parametrize("names", [("problem", "answer"), ("Problem", "Answer"), ("question", "expected_answer")])
def test_mirrors_name_their_columns_in_their_own_ways(names: tuple[str, str]) -> None:
    row = one(MATH, {names[0]: "What is 1 + 1?", names[1]: 2})
    assert row["answer"] == "2" and row["prompt"].startswith("What is 1 + 1?\n") and row["prompt"].endswith(BOX)


def test_a_problem_that_asks_for_a_box_is_left_as_it_is() -> None:
    asked = "What is \\boxed{?}?\nPut the answer within \\boxed{}."
    assert one(MATH, {"prompt": asked, "answer": "2"})["prompt"] == asked


def test_levels_and_subjects_are_groups_and_problems_have_their_own_names() -> None:
    row = one(
        MATH, {"problem": "?", "answer": "2", "level": 5, "subject": "Algebra", "unique_id": "test/algebra/1.json"}
    )
    assert row["group"] == {"level": "5", "subject": "Algebra"} and row["id"] == "test/algebra/1.json"


def test_an_aime_answer_that_is_no_whole_number_is_refused() -> None:
    with pytest.raises(BadInput, match=r"rows.jsonl:1: an answer that isn't a whole number"):
        one(MathRows(kind="math", integers=True), {"problem": "?", "answer": "1/2"})


def test_a_missing_column_is_named_and_no_content_is_shown() -> None:
    with pytest.raises(BadInput, match=r"rows.jsonl:1: no column Question .*here: question") as caught:
        one(GpqaRows(kind="gpqa"), {"question": "a gated thing"})
    assert "gated thing" not in str(caught.value)


@pytest.mark.parametrize("name", ["math500", "aime24", "gsm8k"])
def test_real_sets_are_read_whole(name: str) -> None:
    files = data_files(DATA / name, ["test.jsonl"])
    if not files:
        pytest.skip(f"{name} isn't in {DATA}; PRISM_DATA names its folder")
    found = read_rows(MATH, records(files))
    assert len(found.rows) == {"math500": 500, "aime24": 30, "gsm8k": 1_319}[name]
    assert all(row["prompt"].count("\\boxed{}") == 1 and row["prompt"].endswith(BOX) for row in found.rows)
    if name == "math500":
        stated = [(row, f"It is $\\boxed{{{row['answer']}}}$.") for row in found.rows[::10]]
        assert all(verdict.correct for verdict in verify(stated))


def gpqa(number: int) -> dict[str, Any]:
    return {
        "Record ID": f"rec{number}",
        "Question": f"Which of these is number {number}?",
        "Correct Answer": f"right {number}\n",
        "Incorrect Answer 1": f"wrong one {number}",
        "Incorrect Answer 2": f"wrong two {number}",
        "Incorrect Answer 3": f"wrong three {number}",
        "High-level domain": "Physics",
    }


def letter_of(row: Any) -> str:
    return "ABCD"[row["verifier"]["choices"].index(row["answer"])]


def test_options_are_in_an_order_of_the_seed_and_the_question() -> None:
    settings = GpqaRows(kind="gpqa")
    rows = [one(settings, gpqa(number)) for number in range(400)]
    assert rows == [one(settings, gpqa(number)) for number in range(400)]
    letters = Counter(map(letter_of, rows))
    assert set(letters) == set("ABCD") and all(70 <= count <= 130 for count in letters.values())
    other = [one(GpqaRows(kind="gpqa", seed=1), gpqa(number)) for number in range(400)]
    assert 50 <= sum(letter_of(a) == letter_of(b) for a, b in zip(rows, other, strict=True)) <= 150


def test_gpqa_is_answered_by_a_boxed_letter() -> None:
    row = one(GpqaRows(kind="gpqa"), gpqa(3))
    right = letter_of(row)
    assert row["id"] == "rec3" and row["group"] == {"subject": "Physics"}
    assert f"{right}) right 3\n" in row["prompt"] and "\\boxed{}" in row["prompt"]
    wrong = "ABCD".replace(right, "")
    said = {f"So \\boxed{{{right}}}": True, f"\\boxed{{\\text{{{right}}}}}": True, f"\\boxed{{{wrong[0]}}}": False,
            f"\\boxed{{{right}}} or \\boxed{{{wrong[1]}}}": False, right: False, "": False}  # fmt: skip
    assert [verdict.correct for verdict in verify([(row, text) for text in said])] == list(said.values())


def test_csv_of_gpqa_is_read_with_line_breaks_in_its_fields(tmp_path: Path) -> None:
    import csv

    with (tmp_path / "gpqa_diamond.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(gpqa(0)))
        writer.writeheader()
        writer.writerows(gpqa(number) for number in range(3))
    (tmp_path / "gpqa_main.csv").write_text("Question\nanother set\n")
    found = read_rows(GpqaRows(kind="gpqa"), records(data_files(tmp_path, ["gpqa_diamond.csv"])))
    assert [row["id"] for row in found.rows] == ["rec0", "rec1", "rec2"]


def test_humaneval_is_read_packed() -> None:
    files = data_files(DATA / "humaneval")
    if not files:
        pytest.skip(f"humaneval isn't in {DATA}; PRISM_DATA names its folder")
    found = read_rows(HumanEvalRows(kind="humaneval"), records(files))
    assert len(found.rows) == 164 and found.rows[0]["id"] == "HumanEval/0"
    assert found.rows[0]["verifier"]["seconds"] == 3.0


def test_the_limit_takes_the_first_prompts_and_reads_no_further() -> None:
    def given() -> Any:
        yield "a:1", {"problem": "first", "answer": "1"}
        yield "a:2", {"problem": "second", "answer": "2"}
        raise AssertionError("read too far")

    assert len(read_rows(MATH, given(), limit=2).rows) == 2


def test_no_prompt_left_is_an_error() -> None:
    with pytest.raises(BadInput, match=r"no prompt is left of the data \(the files are empty\)"):
        read_rows(MATH, [])


DAMAGED = {
    "rows.parquet": (b"PAR1 no", "not Parquet, or cut short"),
    "rows.json": (b'{"a": 1}', "expected a list of objects"),
    "rows.jsonl.gz": (b"\x1f\x8b\x08\x00 no", "damaged or cut short"),
    "rows.csv": (b'a,b\n"x,1\n', "not CSV, or cut short"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_named(name: str, tmp_path: Path) -> None:
    content, why = DAMAGED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Exception, match=rf"{name}: .*{why}.*Remedy"):
        list(records(data_files(tmp_path)))
