"""Responses to verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.files import read_jsonl
from data_prep.schema import WorldConfig
from data_prep.world import generate
from prism.errors import BadInput
from prism.score import PromptRow, Verdict, verify

EXACT = {"id": "one", "prompt": "1 + 2 ?", "answer": "3", "verifier": {"kind": "exact"}}


def test_a_verdict_tells_form_and_correctness_apart() -> None:
    responses = ["<think> t </think> 3", "<think> t </think> 4", "3", "4", "<think> 3 </think>", ""]
    assert verify([(EXACT, response) for response in responses]) == [
        Verdict(True, True, "3"),
        Verdict(False, True, "4"),
        Verdict(True, False, "3"),
        Verdict(False, False, "4"),
        Verdict(False, False, "<think> 3 </think>"),
        Verdict(False, False, ""),
    ]


def test_verdicts_keep_their_order_across_kinds() -> None:
    choice: PromptRow = {"prompt": "?", "answer": "ice", "verifier": {"kind": "choice", "choices": ["ice", "iron"]}}
    items = [(EXACT, "<think> t </think> 3"), (choice, "<think> t </think> iron"), (EXACT, "<think> t </think> 5")]
    items.append((choice, "<think> t </think> ice"))
    assert [verdict.correct for verdict in verify(items)] == [True, False, False, True]


def test_no_responses_give_no_verdicts() -> None:
    assert verify([]) == []


@pytest.mark.parametrize("verifier", [{}, {"kind": "oracle"}])
def test_an_unknown_verifier_is_named_with_its_prompt(verifier: dict[str, str]) -> None:
    with pytest.raises(BadInput, match=r"prompt one: verifier kind .* Remedy: use one of exact"):
        verify([({**EXACT, "verifier": verifier}, "3")])


@pytest.mark.parametrize("domain", ["math", "code", "science"])
def test_gold_answers_of_the_world_are_right_and_another_prompts_are_not(domain: str, tmp_path: Path) -> None:
    generate(WorldConfig(seed=3, evaluation_prompts=50), tmp_path)
    rows = list(read_jsonl(tmp_path / f"heldout_{domain}.jsonl"))
    gold = verify([(row, f"<think> t </think> {row['answer']}") for row in rows])
    assert all(verdict.correct and verdict.formatted for verdict in gold)
    others = [other for row in rows for other in rows if other["answer"] != row["answer"]]
    pairs = [(row, other) for row in rows for other in others[:20] if other["answer"] != row["answer"]]
    assert not any(
        verdict.correct for verdict in verify([(row, f"<think> t </think> {b['answer']}") for row, b in pairs])
    )
