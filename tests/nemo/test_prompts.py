"""Prompts for Aligner: what it trains on, what is held out, what the server knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.files import read_jsonl
from prism.errors import RecipeError
from prism.nemo.prompts import Prompt, rows_of, split, write_prompts


def made(domain: str, count: int) -> list[Prompt]:
    return [Prompt(domain, f"{domain} {n}\n", {"answer": str(n), "verifier": {"kind": "exact"}}) for n in range(count)]


def test_prompts_are_held_out_in_the_shares_of_the_mix_and_never_trained_on() -> None:
    parts = split({"math": made("math", 50), "code": made("code", 50)}, {"math": 75, "code": 25}, 10, seed=1)
    domains = [prompt.domain for prompt in parts.validation]
    assert (domains.count("math"), domains.count("code")) in ((8, 2), (7, 3))
    assert len(domains) == 10
    trained = {prompt.text for found in parts.train.values() for prompt in found}
    assert len(trained) == 90 and trained.isdisjoint(prompt.text for prompt in parts.validation)


def test_the_same_seed_holds_out_the_same() -> None:
    prompts, mix = {"math": made("math", 50)}, {"math": 100.0}
    assert split(prompts, mix, 5, seed=1) == split(prompts, mix, 5, seed=1)
    assert split(prompts, mix, 5, seed=1).validation != split(prompts, mix, 5, seed=2).validation


def test_a_text_with_two_answers_is_kept_once_and_counted() -> None:
    prompts = made("math", 5)
    twice = [*prompts, Prompt("math", prompts[0].text, {"answer": "other"}), prompts[1]]
    parts = split({"math": twice}, {"math": 100}, 1, seed=1)
    assert parts.doubled == 1
    assert len(parts.train["math"]) == 4


def test_too_few_prompts_are_refused() -> None:
    with pytest.raises(RecipeError, match="code has 2 prompts"):
        split({"math": made("math", 50), "code": made("code", 2)}, {"math": 50, "code": 50}, 10, seed=1)


def test_aligner_gets_text_alone_and_the_server_every_row(tmp_path: Path) -> None:
    parts = split({"math": made("math", 6)}, {"math": 100}, 2, seed=1)
    steps = [list(parts.train["math"])[:3], list(parts.train["math"])[1:]]
    assert write_prompts(tmp_path, parts, steps) == 6
    train, validation = (list(read_jsonl(tmp_path / f"{name}.jsonl")) for name in ("train", "validation"))
    assert train == [{"text": prompt.text} for step in steps for prompt in step]
    assert validation == [{"text": prompt.text} for prompt in parts.validation]
    assert dict(rows_of(tmp_path)) == {prompt.text: prompt.row for prompt in made("math", 6)}
