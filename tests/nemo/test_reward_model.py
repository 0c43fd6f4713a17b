"""Rewards of what Aligner sends: prompts found again, responses judged."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from data_prep.files import read_json, write_json, write_jsonl
from prism.errors import BadInput, PrismError
from prism.nemo.reward_model import RewardModel
from prism.prompts import PromptContract
from prism.recipe.schema.rewards import RewardsConfig
from prism.score.sandbox import tiers
from tests.nemo.made import NESTED, contract, rows

RIGHT, WRONG = "<think> 1 </think> 3", "<think> 1 </think> 4"


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> PromptContract:
    return contract(tmp_path_factory.mktemp("words"))


def model(words: PromptContract) -> RewardModel:
    prompts = [(f"{row['prompt']}\n", row) for row in rows()]
    nested = [
        (f"{text}\n", {"answer": answer, "verifier": {"kind": "exact"}})
        for text, answer in zip(NESTED, "34", strict=True)
    ]
    return RewardModel([*prompts, *nested], words, RewardsConfig())


def batch(words: PromptContract, samples: Sequence[tuple[str, str, bool]]) -> tuple[np.ndarray, np.ndarray]:
    """Prompt, response, whether it stopped; as the actor sends them."""
    sequences = [
        [*words.encode_text(f"{prompt}\n"), *words.encode_text(response), *(words.stop_ids if stopped else ())]
        for prompt, response, stopped in samples
    ]
    tokens = np.zeros((len(sequences), 64), np.int64)
    for row, sequence in zip(tokens, sequences, strict=True):
        row[: len(sequence)] = sequence
    return tokens, np.array([[len(sequence)] for sequence in sequences], np.int64)


def test_right_wrong_and_unfinished_responses_get_the_recipes_rewards(words: PromptContract) -> None:
    question = "Q calc 1 ; s1 + 2 ?"
    samples = [(question, RIGHT, True), (question, WRONG, True), (question, RIGHT, False), (question, "3", True)]
    found = model(words).rewards_of(*batch(words, samples))
    assert found.dtype == np.float32 and found.shape == (4, 1)
    assert found[:, 0].tolist() == pytest.approx([1, 0, -0.1, 0])


def test_every_prompt_of_the_job_is_judged_by_its_own_answer(words: PromptContract) -> None:
    asked = [row for row in rows() if row["domain"] == "math"]
    samples = [(row["prompt"], f"<think> 1 </think> {row['answer']}", True) for row in asked]
    assert model(words).rewards_of(*batch(words, samples)).min() == 1
    moved = [(row["prompt"], f"<think> 1 </think> {(int(row['answer']) + 1) % 9}", True) for row in asked]
    assert model(words).rewards_of(*batch(words, moved)).max() == 0


def test_a_prompt_that_begins_another_keeps_its_own_answer(words: PromptContract) -> None:
    samples = [(NESTED[0], RIGHT, True), (NESTED[0], WRONG, True), (NESTED[1], RIGHT, True), (NESTED[1], WRONG, True)]
    assert model(words).rewards_of(*batch(words, samples))[:, 0].tolist() == [1, 0, 0, 1]


def test_an_empty_response_is_judged(words: PromptContract) -> None:
    assert model(words).rewards_of(*batch(words, [("Q calc 1 ; s1 + 2 ?", "", False)])).item() == pytest.approx(-0.1)


def test_no_sequences_get_no_rewards(words: PromptContract) -> None:
    assert model(words).rewards_of(np.zeros((0, 8), np.int64), np.zeros((0, 1), np.int64)).shape == (0, 1)


def test_an_unknown_prompt_is_an_error_that_shows_it(words: PromptContract) -> None:
    with pytest.raises(BadInput, match="none of the job's 28 prompts: 'Q calc 9 ; s1") as error:
        model(words).rewards_of(*batch(words, [("Q calc 9 ; s1 + 2 ?", RIGHT, True)]))
    assert "BOS" in error.value.remedy


@pytest.mark.parametrize(
    ("tokens", "lengths"),
    [(np.zeros(3), np.zeros(3)), (np.zeros((2, 3)), np.ones((3, 1))), (np.zeros((1, 3)), np.array([[4]]))],
)
def test_shapes_that_do_not_fit_are_refused(words: PromptContract, tokens: np.ndarray, lengths: np.ndarray) -> None:
    with pytest.raises(BadInput):
        model(words).rewards_of(tokens.astype(np.int64), lengths.astype(np.int64))


def test_a_jobs_folder_is_all_that_it_needs(job: Path, words: PromptContract) -> None:
    loaded = RewardModel.load(job)
    assert len(loaded) == 25
    assert loaded.rewards_of(*batch(words, [("Q calc 1 ; s1 + 2 ?", RIGHT, True)])).item() == 1


@pytest.mark.parametrize("tier", ["namespaces", "landlock"])
def test_programs_are_contained_as_the_recipe_says(
    job: Path, tmp_path: Path, tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(job, tmp_path / "job")
    rewards = read_json(tmp_path / "job" / "rewards.json")
    write_json(tmp_path / "job" / "rewards.json", {**rewards, "sandbox": {"tier": tier, "allow_unsandboxed": False}})
    row = {"answer": "", "verifier": {"kind": "code", "test": "expression", "cases": [["1", 1]]}}
    write_jsonl(tmp_path / "job" / "prompts" / "rows.jsonl", [{"text": "Q calc 1 ?\n", "row": row}])
    monkeypatch.setattr(tiers, "what_fails", lambda wanted: f"{wanted} is away")
    monkeypatch.setattr(tiers, "_wish", tiers._wish)  # put back afterwards
    tiers._chosen.cache_clear()
    with pytest.raises(PrismError, match=tier):
        RewardModel.load(tmp_path / "job")
