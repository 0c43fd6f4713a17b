"""The scorers through `prism eval`: from a task and a server's responses to verdicts in result and samples files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prism.evaluate.task import GenerateTask, load_task
from tests.evaluate.scripted import Script, evaluate
from tests.score.math_cases import DATA, MISSING, WHY_MISSING, equivalents, golds, perturbations
from tests.score.test_humaneval import BROKEN, CHEATS, FILE
from tests.score.test_math_real import FULL
from tests.score.tiers import contained_by

STRIDE = 1 if FULL else 5


def packaged(name: str) -> GenerateTask:
    task = load_task(name)
    assert isinstance(task, GenerateTask)
    return task


def problems(answers: list[str]) -> list[dict[str, Any]]:
    return [{"problem": f"Case {number}: what is it?", "answer": answer} for number, answer in enumerate(answers)]


@pytest.mark.skipif(MISSING, reason=WHY_MISSING)
@pytest.mark.parametrize("name", ["math500", "aime24"])
def test_gold_answers_are_right_in_their_equivalent_forms(
    name: str, script: Script, tokenizer: Path, tmp_path: Path
) -> None:
    taken = golds(name)[:: STRIDE if name == "math500" else 1]
    cases = [(gold, form, answer) for gold in taken for form, answer in equivalents(gold)]
    found = evaluate(
        packaged(name), problems([gold for gold, _, _ in cases]), [[answer] for _, _, answer in cases], script,
        tokenizer, tmp_path,
    )  # fmt: skip
    assert len(found.samples) == len(cases) == found.result["prompts"]
    assert [line["responses"][0]["text"] for line in found.samples] == [answer for _, _, answer in cases]
    refused = [case for case, right in zip(cases, found.correct(), strict=True) if not right]
    assert len(refused) <= 0.01 * len(cases), refused[:20]
    assert found.result["metrics"]["pass_rate"]["value"] == pytest.approx(1 - len(refused) / len(cases))


@pytest.mark.skipif(MISSING, reason=WHY_MISSING)
def test_changed_answers_are_wrong(script: Script, tokenizer: Path, tmp_path: Path) -> None:
    cases = [(gold, how, answer) for gold in golds("math500")[::STRIDE] for how, answer in perturbations(gold)]
    found = evaluate(
        packaged("math500"), problems([gold for gold, _, _ in cases]), [[f"So it is \\boxed{{{answer}}}."] for
        _, _, answer in cases], script, tokenizer, tmp_path,
    )  # fmt: skip
    accepted = [case for case, right in zip(cases, found.correct(), strict=True) if right]
    assert len(cases) >= 500 and len(accepted) <= 2, accepted
    assert found.result["metrics"]["pass_rate"]["value"] == pytest.approx(len(accepted) / len(cases))


def test_aime_answers_are_compared_as_whole_numbers(script: Script, tokenizer: Path, tmp_path: Path) -> None:
    said = ["\\boxed{33}", "\\boxed{033}", "\\boxed{33.0}", "\\boxed{330}", "\\boxed{3}", "33 or 34"]
    rows = [{"Problem": "What?", "Answer": gold} for gold in ("033", "33")]
    found = evaluate(packaged("aime25"), rows, [said, said], script, tokenizer, tmp_path)
    assert [line["answer"] for line in found.samples] == ["33", "33"]
    for line in found.samples:
        assert [one["correct"] for one in line["responses"]] == [True, True, True, False, False, False]
        assert line["pass_rate"] == 0.5


def test_a_response_cut_by_its_length_is_wrong_and_reasoning_counts_as_form(
    script: Script, tokenizer: Path, tmp_path: Path
) -> None:
    reasoned = "<think>\nTwo and two.\n</think>\n\\boxed{4}"
    script.cut = {"\\boxed{4} and"}
    found = evaluate(
        packaged("math500"), [{"problem": "2 + 2?", "answer": "4"}],
        [["\\boxed{4}", reasoned, "\\boxed{4} and", "<think> 4 </think> \\boxed{5}"]], script, tokenizer, tmp_path,
    )  # fmt: skip
    (line,) = found.samples
    assert [one["correct"] for one in line["responses"]] == [True, True, False, False]
    assert [one["formatted"] for one in line["responses"]] == [False, True, False, True]
    assert [one["stopped"] for one in line["responses"]] == [True, True, False, True]
    assert [one["nll"] for one in line["responses"]] == [None] * 4  # a server doesn't tell


@pytest.fixture(scope="module")
def functions() -> list[dict[str, Any]]:
    if not FILE.is_file():
        pytest.skip(f"HumanEval isn't in {DATA}; PRISM_DATA names its folder")
    with gzip.open(FILE, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def fenced(program: str) -> str:
    return f"Here it is.\n```python\n{program}\n```\nThat is all."


@pytest.fixture(scope="module")
def tier() -> Iterator[str]:
    with contained_by("landlock") as name:
        yield name


def test_every_right_function_passes_whole_or_as_the_rest(
    functions: list[dict[str, Any]], tier: str, script: Script, tokenizer: Path, tmp_path: Path
) -> None:
    said = [
        [
            fenced(one["prompt"] + one["canonical_solution"]),
            one["prompt"] + one["canonical_solution"],
            fenced(one["canonical_solution"]),
            one["canonical_solution"],
        ]
        for one in functions
    ]
    found = evaluate(packaged("humaneval"), functions, said, script, tokenizer, tmp_path)
    failed = [
        (line["id"], number)
        for line in found.samples
        for number, one in enumerate(line["responses"])
        if not one["correct"]
    ]
    assert len(found.samples) == 164 and failed == []
    assert found.result["metrics"]["pass_rate"]["value"] == 1.0
    assert all(one["prompt"].strip() in line["prompt"] for one, line in zip(functions, found.samples, strict=True))


def test_no_broken_function_and_no_cheat_passes(
    functions: list[dict[str, Any]], tier: str, script: Script, tokenizer: Path, tmp_path: Path
) -> None:
    programs = {**BROKEN, **CHEATS}
    taken = functions[:: 1 if FULL else 8]
    said = [[fenced(program(one)) for program in programs.values()] for one in taken]
    found = evaluate(packaged("humaneval"), taken, said, script, tokenizer, tmp_path)
    passed = [
        (line["id"], name)
        for line in found.samples
        for name, one in zip(programs, line["responses"], strict=True)
        if one["correct"]
    ]
    assert passed == [] and found.result["metrics"][f"pass@{len(programs)}"]["value"] == 0.0
