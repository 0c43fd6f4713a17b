"""A model evaluated on a RULER task, tasks by name and length, and the table of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from torch import Tensor

from data_prep.schema import TokenizerConfig
from data_prep.tokenizer import train_tokenizer
from prism.errors import BadInput, RecipeError
from prism.evaluate.ruler.make import Material
from prism.evaluate.ruler.run import run_ruler
from prism.evaluate.ruler.table import mean_table, ruler_scores
from prism.evaluate.task import RulerTask, load_task, load_tasks
from prism.generate import Request, Response, Sampling
from prism.prompts import PromptContract
from tests.evaluate.ruler.sizes import task


class ShortSighted:
    """Answers with what followed the asked key, where that is in the last `reach` tokens, or with the first."""

    def __init__(self, contract: PromptContract, reach: int, context_length: int = 128) -> None:
        self._contract = contract
        self._reach = reach
        self.context_length = context_length
        self.asked: list[Sequence[int]] = []

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Response]:
        assert sampling.temperature == 0
        prompts = [request.prompt for request in requests]
        self.asked += prompts
        return [
            Response((self._answer(prompt), self._contract.end_of_document_id), (0.0,) * 2, True) for prompt in prompts
        ]

    def _answer(self, prompt: Sequence[int]) -> int:
        start = max(0, len(prompt) - self._reach)
        places = [place for place in range(start, len(prompt) - 1) if prompt[place] == prompt[-1]]
        return prompt[places[0] + 1] if places else prompt[0]

    def logprobs(self, sequences: Sequence[Sequence[int]]) -> list[list[float]]:
        raise NotImplementedError

    def hidden_states(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        raise NotImplementedError


def needle_task(length: int = 100, prompts: int = 30) -> RulerTask:
    return task("miniature_needle_noise", length=length, prompts=prompts)


@pytest.fixture
def contract(tmp_path: Path) -> PromptContract:
    test = needle_task().test.model_dump()
    words = " ".join([*test["key_words"], *test["value_words"], test["noise"], "code Q <think> </think>"])
    train_tokenizer(TokenizerConfig(kind="word_level"), [words], tmp_path / "tokenizer.json")
    return PromptContract.load(tmp_path / "tokenizer.json")


def test_a_model_that_sees_the_last_third_scores_there_and_only_there(contract: PromptContract, tmp_path: Path) -> None:
    metrics, skipped = run_ruler(
        needle_task(), Material(), ShortSighted(contract, 35), contract, tmp_path / "s.jsonl", "key"
    )
    assert skipped == 0
    assert metrics["score"]["value"] == pytest.approx(1 / 3, abs=0.05)
    assert (metrics["score_early"]["value"], metrics["score_middle"]["value"]) == (0, 0)
    assert metrics["score_late"]["value"] >= 0.8
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert len(lines) == 30 and all(line["prompt_tokens"] <= 97 for line in lines)
    assert {line["greedy"]["correct"] for line in lines} == {True, False}


def test_a_model_that_sees_all_is_right_every_time(contract: PromptContract, tmp_path: Path) -> None:
    metrics, _ = run_ruler(
        needle_task(), Material(), ShortSighted(contract, 128), contract, tmp_path / "s.jsonl", "key"
    )
    assert {name: value["value"] for name, value in metrics.items()} == dict.fromkeys(metrics, 1.0)


def test_a_length_beyond_the_context_is_counted_as_skipped(contract: PromptContract, tmp_path: Path) -> None:
    model = ShortSighted(contract, 128)
    assert run_ruler(needle_task(129), Material(), model, contract, tmp_path / "s.jsonl", "key") == ({}, 30)
    assert not model.asked


def test_answered_prompts_are_not_asked_again(contract: PromptContract, tmp_path: Path) -> None:
    path, of = tmp_path / "s.jsonl", needle_task(128, prompts=520)  # 512 at once
    run_ruler(of, Material(), ShortSighted(contract, 60), contract, path, "key")
    whole = path.read_text()
    path.write_text("".join(line + "\n" for line in whole.splitlines()[:515]))
    model = ShortSighted(contract, 60)
    run_ruler(of, Material(), model, contract, path, "key")
    assert len(model.asked) == 8 and path.read_text() == whole


def test_a_suite_has_thirteen_tasks_at_the_length_that_its_name_says() -> None:
    tasks = load_tasks(["ruler@131072", "miniature_math"])
    lengths = [of.length for of in tasks if isinstance(of, RulerTask)]
    assert lengths == [131_072] * 13 and len(tasks) == 14
    assert tasks[0].name == "ruler_niah_single_1@131072"
    assert isinstance(tasks[0], RulerTask) and tasks[0].base_name == "ruler_niah_single_1"


@pytest.mark.parametrize("name", ["miniature_math@64", "ruler_vt@long", "ruler_vt@0"])
def test_a_length_that_can_not_be_set_is_an_error(name: str) -> None:
    with pytest.raises(RecipeError, match="name@8192"):
        load_task(name)


def test_the_table_has_a_line_a_stage_and_a_column_a_length(tmp_path: Path) -> None:
    for stage, of, length, value in [
        ("base", "a", 64, 0.5), ("base", "a", 256, 0.25), ("base", "b", 256, 0.75), ("mid", "a", 256, 0.125)
    ]:  # fmt: skip
        path = tmp_path / f"stages/{stage}/evaluate/{of}@{length}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        result = {"task": f"{of}@{length}", "kind": "ruler", "settings": {"length": length}}
        path.write_text(json.dumps({**result, "metrics": {"score": {"value": value}}}))
    (tmp_path / "recipe.yaml").write_text("pipeline: {mid: {stage: midtrain}, base: {stage: pretrain}}")
    table = mean_table(ruler_scores(tmp_path))
    assert table.index("| mid |") < table.index("| base |"), "the recipe's order"
    assert "| base | 50.0 | 25.0 |" in table, "the mean is over the tasks that both stages have"
    assert "| mid |  | 12.5 |" in table


def test_a_run_without_ruler_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no RULER results"):
        ruler_scores(tmp_path)
