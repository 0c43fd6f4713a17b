"""LiveCodeBench's rows as they are published: the window, packed tests, standard input and functions."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from prism.errors import BadInput
from prism.evaluate.rows import livecodebench as room
from prism.evaluate.rows import read_rows
from prism.evaluate.rows.settings import LiveCodeBenchRows
from prism.score import verify
from tests.score.tiers import contained_by

SETTINGS = LiveCodeBenchRows.model_validate({"kind": "livecodebench", "first": "2024-08-01", "last": "2025-01-31"})
STARTER = "class Solution:\n    def largest(self, values: List[int]) -> int:\n        "


def packed(cases: Any) -> str:
    """As the set has its private tests."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(cases)))).decode()


def program_row(**changed: Any) -> dict[str, Any]:
    return {
        "question_title": "Doubling",
        "question_content": "Read a number and print it doubled.",
        "platform": "atcoder",
        "question_id": "abc999_a",
        "contest_id": "abc999",
        "contest_date": "2024-10-12T00:00:00",
        "starter_code": "",
        "difficulty": "easy",
        "public_test_cases": json.dumps([{"input": "2\n", "output": "4\n", "testtype": "stdin"}]),
        "private_test_cases": packed([{"input": "5\n", "output": "10\n", "testtype": "stdin"}]),
        "metadata": "{}",
        **changed,
    }


def function_row(**changed: Any) -> dict[str, Any]:
    called = {
        "question_content": "Return the largest value.",
        "platform": "leetcode",
        "question_id": "9999",
        "starter_code": STARTER,
        "difficulty": "hard",
        "public_test_cases": json.dumps([{"input": "[1, 3, 2]", "output": "3", "testtype": "functional"}]),
        "private_test_cases": packed([{"input": "[-5]", "output": "-5", "testtype": "functional"}]),
        "metadata": json.dumps({"func_name": "largest"}),
    }
    return program_row(**{**called, **changed})


def made(*rows: dict[str, Any]) -> Any:
    return read_rows(SETTINGS, [(f"test.jsonl:{number}", row) for number, row in enumerate(rows, start=1)])


def test_a_program_has_its_public_and_private_tests() -> None:
    (row,) = made(program_row()).rows
    assert row["id"] == "abc999_a" and row["group"] == {"difficulty": "easy", "platform": "atcoder"}
    verifier = row["verifier"]
    assert verifier["test"] == "stdin" and verifier["cases"] == [["2\n", "4\n"], ["5\n", "10\n"]]
    assert verifier["seconds"] == 6.0 and verifier["memory_bytes"] == 4 << 30 and "apart" not in verifier
    assert "print it doubled" in row["prompt"] and "standard input" in row["prompt"]


def test_a_function_is_called_by_its_name_with_its_arguments() -> None:
    (row,) = made(function_row()).rows
    verifier = row["verifier"]
    assert verifier["test"] == "call" and verifier["entry_point"] == "largest" and verifier["apart"]
    assert verifier["cases"] == [[[[1, 3, 2]], 3], [[[-5]], -5]]
    assert STARTER.rstrip() in row["prompt"]


@pytest.mark.parametrize("form", ["text", "list", "packed"])
def test_private_tests_are_read_in_every_form(form: str) -> None:
    cases = [{"input": "7\n", "output": "14\n", "testtype": "stdin"}]
    given = {"text": json.dumps(cases), "list": cases, "packed": packed(cases)}[form]
    (row,) = made(program_row(private_test_cases=given)).rows
    assert row["verifier"]["cases"][-1] == ["7\n", "14\n"]


def test_the_window_has_both_of_its_days_and_the_rest_is_counted() -> None:
    days = ["2024-07-31", "2024-08-01", "2025-01-31T23:59:59", "2025-02-01T00:00:00", "2023-05-07"]
    found = made(*(program_row(question_id=day, contest_date=day) for day in days))
    assert [row["id"] for row in found.rows] == days[1:3]
    assert found.left_out == {"contests outside 2024-08-01 to 2025-01-31": 3}


def test_rows_outside_the_window_are_not_unpacked() -> None:
    found = made(program_row(contest_date="2024-01-01", private_test_cases="no such thing"), program_row())
    assert len(found.rows) == 1


LEFT_OUT = {
    "calls of a function without a name": {"metadata": "{}"},
    "tests of two kinds": {"public_test_cases": [{"input": "1", "output": "1", "testtype": "stdin"}]},
    "results that aren't JSON": {
        "private_test_cases": packed([{"input": "[1]", "output": "?", "testtype": "functional"}])
    },
    "no tests": {"public_test_cases": "[]", "private_test_cases": "[]"},
    "an output of more than 1 MiB": {
        "private_test_cases": packed([{"input": "[1]", "output": "1" * (1 << 20), "testtype": "functional"}])
    },
}  # fmt: skip


@pytest.mark.parametrize("reason", LEFT_OUT)
def test_rows_that_cannot_be_judged_are_counted_by_reason(reason: str) -> None:
    found = made({**function_row(), **LEFT_OUT[reason]}, program_row())
    assert found.left_out == {reason: 1} and len(found.rows) == 1


class Evil:
    def __reduce__(self) -> Any:
        return eval, ("1/0",)


def unpickled(value: Any) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


DAMAGED = {
    "code": (unpickled(Evil()), "isn't one of plain text"),
    "a list that was pickled": (unpickled([{"input": ""}]), "opcode EMPTY_LIST"),
    "text that isn't JSON": (unpickled("no"), "private_test_cases isn't JSON"),
    "an object": (unpickled("{}"), "isn't a list of tests"),
    "no base64": ("%%%", "neither JSON nor packed"),
    "nothing compressed": (base64.b64encode(b"plain").decode(), "neither JSON nor packed"),
    "cut short": (base64.b64encode(zlib.compress(pickle.dumps("[]"))[:-3]).decode(), "is cut short"),
    "something behind it": (base64.b64encode(zlib.compress(pickle.dumps("[]")) + b"more").decode(), "is cut short"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_tests_are_an_error_that_names_row_and_column(kind: str) -> None:
    content, why = DAMAGED[kind]
    with pytest.raises(BadInput, match=f"test.jsonl:1: .*{why}.*Remedy"):
        made(program_row(private_test_cases=content))


def test_tests_that_unpack_to_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_BYTES", 1 << 20)
    with pytest.raises(BadInput, match="unpacks to more than 1 MiB"):
        made(program_row(private_test_cases=packed([{"input": "0" * (1 << 21), "output": ""}])))


@pytest.fixture(scope="module")
def tier() -> Iterator[str]:
    with contained_by("landlock") as name:
        yield name


PROGRAMS = {
    "right": ("print(2 * int(input()))", True),
    "by a star import": ("print(reduce(mul, [2, int(sys.stdin.read())]))", True),
    "wrong on the private test": ("print(4)", False),
    "raises": ("print(2 * int(input()))\nraise ValueError", False),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_judged_by_all_tests(name: str, tier: str) -> None:
    program, right = PROGRAMS[name]
    (row,) = made(program_row()).rows
    assert [one.correct for one in verify([(row, f"So:\n```python\n{program}\n```")])] == [right]


FUNCTIONS = {
    "completes the class": (STARTER + "return max(values)", True),
    "a plain function": ("def largest(values):\n    return sorted(values)[-1]", True),
    "wrong on the private test": (STARTER + "return abs(max(values))", False),
    "no such function": ("def biggest(values):\n    return max(values)", False),
    "prints it": (STARTER + "print(max(values))", False),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_judged_by_all_tests(name: str, tier: str) -> None:
    program, right = FUNCTIONS[name]
    (row,) = made(function_row()).rows
    assert [one.correct for one in verify([(row, f"```python\n{program}\n```")])] == [right]


def test_the_time_limit_is_each_tests_own(tier: str) -> None:
    """Half a second for each of four tests is within a limit of one; two in one test isn't."""
    settings = SETTINGS.model_copy(update={"seconds": 1.0})
    spin = (
        "import time\n        end = time.process_time() + {}\n        while time.process_time() < end: pass\n        "
    )
    cases = [{"input": f"[{n}]", "output": str(n), "testtype": "functional"} for n in range(4)]
    row = function_row(public_test_cases=cases, private_test_cases="[]")
    (asked,) = read_rows(settings, [("x:1", row)]).rows
    answers = [f"```python\n{STARTER}{spin.format(each)}return max(values)\n```" for each in (0.4, 2.5)]
    assert [one.correct for one in verify([(asked, answer) for answer in answers])] == [True, False]
