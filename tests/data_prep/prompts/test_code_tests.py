import json
from typing import Any

import pytest

from data_prep.prompts.code_tests import Limits, code_tests
from data_prep.prompts.reasons import NoPrompt

WIDE = Limits(16, 1 << 18)


def verifier(found: Any, entry_point: str | None = None, limits: Limits = WIDE) -> dict[str, Any]:
    return code_tests(found, entry_point, limits).verifier


def test_pairs_of_input_and_output_go_to_standard_input_though_they_are_encoded_twice() -> None:
    pairs = {"inputs": ["1 2\n", ["3", "4"]], "outputs": ["3\n", ["7"]]}
    wanted = {"kind": "code", "test": "stdin", "cases": [["1 2\n", "3\n"], ["3\n4", "7"]]}
    assert verifier(pairs) == wanted
    assert verifier(json.dumps(pairs)) == wanted
    assert verifier({"test_cases": json.dumps(pairs)}) == wanted
    assert verifier(json.dumps(json.dumps(pairs))) == wanted


def test_a_function_is_called_and_its_results_may_stand_in_lists_of_their_own() -> None:
    wrapped = {"fn_name": "add", "inputs": [[1, 2], [3, 4]], "outputs": [[3], [7]]}
    assert verifier(wrapped) == {
        "kind": "code", "test": "call", "cases": [[[1, 2], [3]], [[3, 4], [7]]], "entry_point": "add",
        "wrapped": True,
    }  # fmt: skip
    lists = {"fn_name": "pair", "inputs": [[1], [2]], "outputs": [[1, 1], [2]]}
    assert verifier(lists)["cases"] == [[[1], [1, 1]], [[2], [2]]]


def test_deepcoders_lists_of_tests() -> None:
    stdin = [{"input": "1", "output": "2", "testtype": "stdin_stdout"}, {"input": "3", "output": "4"}]
    assert verifier(json.dumps(stdin)) == {"kind": "code", "test": "stdin", "cases": [["1", "2"], ["3", "4"]]}
    functional = [{"input": '[1, 2]\n"x"', "output": "[2, 1]", "testtype": "functional"}]
    assert verifier(json.dumps(functional), "turn") == {
        "kind": "code", "test": "call", "cases": [[[[1, 2], "x"], [2, 1]]], "entry_point": "turn",
    }  # fmt: skip
    with pytest.raises(NoPrompt, match="without a name"):
        verifier(functional)


def test_skyworks_three_forms_whose_other_keys_are_null() -> None:
    nothing = dict.fromkeys(("inputs", "outputs", "fn_name", "test_code", "assert_case"))
    code = {"test_code": "def check(candidate):\n    assert candidate(1) == 2\n", "entry_point": "Solution().f"}
    assert verifier(json.dumps({**nothing, **code, "import_prefix": "import math\n"})) == {
        "kind": "code", "test": "check", "source": code["test_code"], "entry_point": "Solution().f",
        "setup": "import math\n",
    }  # fmt: skip
    assert verifier({**nothing, "assert_case": ["assert f(1) == 2"]}) == {
        "kind": "code", "test": "asserts", "asserts": ["assert f(1) == 2"],
    }  # fmt: skip
    assert verifier({**nothing, "inputs": ["1"], "outputs": ["2"]})["cases"] == [["1", "2"]]


def test_open_code_instructs_assertions() -> None:
    tests = json.dumps(["\nassert f(1) == 2\n", "\n# nothing asked\n", "x = f(2)\nassert x == 3"])
    assert verifier(tests)["asserts"] == ["assert f(1) == 2", "x = f(2)\nassert x == 3"]


def test_the_tests_with_the_longest_inputs_are_kept_in_their_order() -> None:
    pairs = {"inputs": ["1", "1" * 50, "1" * 9, "1" * 70], "outputs": ["1", "2", "3", "4"]}
    found = code_tests(pairs, None, Limits(2, 1_000))
    assert [case[1] for case in found.verifier["cases"]] == ["2", "4"]
    assert found.left_out == 2
    bounded = code_tests(pairs, None, Limits(4, 75))  # the longest doesn't fit, the others do
    assert [case[1] for case in bounded.verifier["cases"]] == ["1", "2"]
    with pytest.raises(NoPrompt, match="too long"):
        code_tests(pairs, None, Limits(4, 5))


@pytest.mark.parametrize(
    ("tests", "reason"),
    [
        ("", "aren't JSON"),
        ("not json", "aren't JSON"),
        ("[]", "no tests"),
        ("{}", "unknown form"),
        ({"inputs": [], "outputs": []}, "no tests"),
        ({"inputs": ["1"], "outputs": []}, "without their outputs"),
        ({"question_id": "x"}, "unknown form"),
        ([1, 2], "unknown form"),
        (None, "no tests"),
        ({"fn_name": "f", "inputs": ["1"], "outputs": ["1"]}, "no list"),
        (["print(1)"], "no tests"),
    ],
)
def test_rows_without_tests_are_refused(tests: Any, reason: str) -> None:
    with pytest.raises(NoPrompt, match=reason):
        verifier(tests)
