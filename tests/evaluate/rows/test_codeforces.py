"""Codeforces' rows as they are published: what is asked, what is left out, and how programs are judged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from prism.evaluate.rows import read_rows
from prism.evaluate.rows.records import records
from prism.evaluate.rows.settings import CodeforcesRows
from prism.score import verify
from tests.score.tiers import contained_by

SETTINGS = CodeforcesRows(kind="codeforces")


def problem(**changed: Any) -> dict[str, Any]:
    return {
        "id": "999/A",
        "aliases": None,
        "contest_id": "999",
        "index": "A",
        "time_limit": 1.0,
        "memory_limit": 256.0,
        "title": "Sum",
        "description": "You are given two integers.",
        "input_format": "One line with a and b.",
        "output_format": "Their sum.",
        "interaction_format": None,
        "note": "In the first example 1 + 2 = 3.",
        "examples": [{"input": "1 2", "output": "3"}],
        "editorial": "The SECRET of it is to add.",
        "rating": 800,
        "tags": ["math"],
        "official_tests": [{"input": "1 2\r\n", "output": "3\r\n"}, {"input": "-7 7\n", "output": "0\n"}],
        "official_tests_complete": True,
        "input_mode": "stdio",
        "generated_checker": None,
        **changed,
    }


def made(*rows: dict[str, Any], **settings: Any) -> Any:
    return read_rows(SETTINGS.model_copy(update=settings), [("test.parquet:1", row) for row in rows])


def test_the_prompt_is_the_problem_without_its_editorial() -> None:
    (row,) = made(problem()).rows
    for part in (
        "# Sum",
        "two integers",
        "One line with a and b.",
        "Their sum.",
        "```\n1 2\n```",
        "1 + 2 = 3",
        "1 s for",
    ):
        assert part in row["prompt"]
    assert "SECRET" not in str(row)


def test_limits_are_the_problems_and_python_has_room_of_its_own() -> None:
    (row,) = made(problem(time_limit=2.5, memory_limit=64.0)).rows
    assert row["verifier"]["seconds"] == 2.5 and row["verifier"]["memory_bytes"] == (64 + 256) << 20
    (row,) = made(problem(time_limit=None, memory_limit=None)).rows
    assert row["verifier"]["seconds"] == 2.0 and row["verifier"]["memory_bytes"] == (256 + 256) << 20


@pytest.mark.parametrize(
    ("rating", "difficulty"),
    [
        (999, "easy"),
        (1000, "medium"),
        (1299, "medium"),
        (1300, "hard"),
        (3500, "hard"),
        (None, "unrated"),
        (0, "unrated"),
    ],
)
def test_ratings_are_grouped(rating: int | None, difficulty: str) -> None:
    (row,) = made(problem(rating=rating)).rows
    assert row["group"] == {"difficulty": difficulty, "tests": "complete"}


def test_what_cannot_be_judged_is_counted_by_reason() -> None:
    found = made(
        problem(),
        problem(interaction_format="Print a guess and flush."),
        problem(input_mode="file"),
        problem(generated_checker="import sys"),
        problem(official_tests=[]),
        problem(official_tests=None),
        problem(official_tests=[{"input": "", "output": "1" * (1 << 20)}]),
        problem(official_tests_complete=False),
    )
    assert found.left_out == {
        "interactive": 1,
        "files for input and output": 1,
        "several right outputs, judged by a checker program": 1,
        "no tests": 2,
        "an output of more than 1 MiB": 1,
    }
    assert [row["group"]["tests"] for row in found.rows] == ["complete", "incomplete"]


def test_settings_say_what_becomes_of_incomplete_tests_and_checkers() -> None:
    rows = [problem(), problem(official_tests_complete=False), problem(generated_checker="import sys")]
    strict, lax = made(*rows, incomplete="skip"), made(*rows, checkers="compare")
    assert len(strict.rows) == 1 and strict.left_out["official tests that aren't complete"] == 1
    assert len(lax.rows) == 3 and lax.left_out == {}


@pytest.fixture(scope="module")
def tier() -> Iterator[str]:
    with contained_by("landlock") as name:
        yield name


PROGRAMS = {
    "print(sum(map(int, input().split())))": True,
    "a, b = map(int, input().split())\nprint(f'{a + b}  ')": True,
    "print(3)": False,
    "a, b = map(int, input().split())\nprint(abs(a) + abs(b))": False,
    "while True: pass": False,
    "x = bytearray(1 << 30)\nprint(sum(map(int, input().split())))": False,
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_are_judged_by_all_tests_within_the_limits(program: str, tier: str) -> None:
    (row,) = made(problem()).rows
    assert [one.correct for one in verify([(row, f"```python\n{program}\n```")])] == [PROGRAMS[program]]


def test_parquet_rows_are_read_as_they_are_published(tmp_path: Path) -> None:
    path = tmp_path / "test-00000-of-00001.parquet"
    parquet.write_table(pa.Table.from_pylist([problem(), problem(id="999/B", rating=None)]), path)
    found = read_rows(SETTINGS, records([path]))
    assert [row["id"] for row in found.rows] == ["999/A", "999/B"]
    assert found.rows[0] == made(problem()).rows[0]
