"""Questions of OpenCodeReasoning-2 looked up in the sets that they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data_prep.errors import DataError
from data_prep.joins import open_join
from data_prep.schema import JoinConfig
from tests.data_prep.sources.layout import write_rows

JOIN = JoinConfig(kind="question_lookup")


def row(dataset: str, index: Any = "0", split: str = "train", question: str | None = "-") -> dict[str, Any]:
    return {"question": question, "dataset": dataset, "split": split, "index": index, "id": "i"}


def question(source: Path, wanted: dict[str, Any]) -> str | None:
    found = list(open_join(JOIN, source)(wanted))
    return found[0]["question"] if found else None


@pytest.mark.parametrize(
    "name",
    [
        "taco/train.jsonl",
        "taco/train.parquet",
        "taco/train.arrow",
        "taco/train/anything.parquet",
        "taco/ALL/train-00000-of-00001.parquet",
        "BAAI/TACO/train.jsonl",
    ],
)
def test_a_split_is_found_under_either_name_in_any_format(name: str, tmp_path: Path) -> None:
    write_rows(tmp_path / "lookup" / name, [{"question": "zero"}, {"question": "one"}])
    assert question(tmp_path, row("taco", "1")) == "one"


def test_positions_run_on_through_the_files_of_a_split_and_splits_are_apart(tmp_path: Path) -> None:
    folder = tmp_path / "lookup" / "apps"
    write_rows(folder / "train-00000-of-00002.parquet", [{"question": "zero"}, {"question": "one"}])
    write_rows(folder / "train-00001-of-00002.parquet", [{"question": "two"}])
    write_rows(folder / "test-00000-of-00001.parquet", [{"question": "test zero"}])
    assert question(tmp_path, row("apps", "2")) == "two"
    assert question(tmp_path, row("apps", 0, split="test")) == "test zero"


def test_an_empty_question_drops_the_row_and_is_counted(tmp_path: Path) -> None:
    write_rows(tmp_path / "lookup" / "code_contests" / "train.jsonl", [{"description": ""}, {"description": None}])
    join = open_join(JOIN, tmp_path)
    assert [list(join(row("code_contests", index))) for index in "01"] == [[], []]
    assert join.missing == {"the looked-up question is empty": 2}


def test_a_question_of_codeforces_has_its_sections_where_they_are_filled(tmp_path: Path) -> None:
    write_rows(
        tmp_path / "lookup" / "codeforces" / "train.jsonl",
        [
            {"description": "Add.", "input_format": "a b", "output_format": "c", "note": "n", "examples": None},
            {"description": "Go.", "input_format": None, "examples": [{"input": "1", "output": "2"}]},
            {"description": None, "input_format": "a b"},
        ],
    )
    assert question(tmp_path, row("open-r1/codeforces", 0)) == "Add.\n\nInput\n\na b\n\nOutput\n\nc\n\nNote\n\nn"
    assert question(tmp_path, row("open-r1/codeforces", 1)) == "Go.\n\nExamples\n\nInput\n\n1\n\nOutput\n\n2"
    assert question(tmp_path, row("open-r1/codeforces", 2)) is None


def test_a_row_that_has_its_question_needs_no_lookup(tmp_path: Path) -> None:
    assert question(tmp_path, row("taco", question="mine")) == "mine"


def test_the_joins_path_is_used_instead_of_the_sources_lookup(tmp_path: Path) -> None:
    write_rows(tmp_path / "elsewhere" / "taco" / "train.jsonl", [{"question": "zero"}])
    join = open_join(JoinConfig(kind="question_lookup", path=str(tmp_path / "elsewhere")), tmp_path / "source")
    assert next(join(row("taco")))["question"] == "zero"


def test_the_compact_table_is_written_once_and_again_when_the_files_change(tmp_path: Path) -> None:
    file = tmp_path / "lookup" / "taco" / "train.jsonl"
    write_rows(file, [{"question": "zero", "solutions": "x" * 1_000}])
    question(tmp_path, row("taco"))
    tables = list((tmp_path / "lookup" / ".questions").iterdir())
    stamp = tables[0].stat().st_mtime_ns
    question(tmp_path, row("taco"))
    assert [table.stat().st_mtime_ns for table in tables] == [stamp]
    write_rows(file, [{"question": "changed"}])
    assert question(tmp_path, row("taco")) == "changed"


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (row("apps"), "the questions of codeparrot/apps aren't there"),
        (row("taco", split="test"), "no file of the split test"),
        (row("taco", "1"), "taco train has 1 rows, no row 1"),
        (row("taco", "-1"), "no row -1"),
        (row("taco", "x"), "should hold a position, found 'x'"),
        (row("leetcode"), "unknown data set 'leetcode'"),
        ({"question": "-"}, "no column 'dataset'"),
    ],
)
def test_what_can_not_be_looked_up_is_an_error(wanted: dict[str, Any], error: str, tmp_path: Path) -> None:
    write_rows(tmp_path / "lookup" / "taco" / "train.jsonl", [{"question": "zero"}])
    with pytest.raises(DataError, match=error):
        question(tmp_path, wanted)


def test_two_folders_that_hold_a_split_are_an_error_rather_than_wrong_positions(tmp_path: Path) -> None:
    for folder in ("verifiable", "prompts"):
        write_rows(tmp_path / "lookup" / "codeforces" / folder / "train.jsonl", [{"description": folder}])
    with pytest.raises(DataError, match="several folders hold the split train: prompts, verifiable"):
        question(tmp_path, row("open-r1/codeforces"))


@pytest.mark.parametrize(
    ("name", "content"), [("train.parquet", b"PAR1"), ("train.jsonl", b"{"), ("train.jsonl", b'{"x": 1}\n')]
)
def test_a_damaged_or_wrong_file_is_an_error_that_names_it(name: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "lookup" / "taco" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with pytest.raises(DataError, match=name):
        question(tmp_path, row("taco"))
