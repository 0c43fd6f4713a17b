"""Tasks and their scores, with a model whose answers are known."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from torch import Tensor

from data_prep.schema import TokenizerConfig
from data_prep.tokenizer import train_tokenizer
from prism.errors import BadInput, RecipeError
from prism.evaluate.bits import run_bits
from prism.evaluate.choice import run_choice
from prism.evaluate.generation import metrics_of, prompts_at_once, questions, run_generation
from prism.evaluate.statistics import mean_interval, pass_at_k, several
from prism.evaluate.task import BitsTask, ChoiceTask, GenerateTask, load_task, task_names
from prism.generate import Request, Response, Sampling
from prism.prompts import PromptContract

WORDS = "one two three four plus is ? <think> </think>"


class Echo:
    """Answers every prompt with `think` and its last word; finds every token equally likely."""

    context_length = 16

    def __init__(self, contract: PromptContract) -> None:
        self._contract = contract
        self.asked = 0

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Response]:
        prompts = [request.prompt for request in requests]
        self.asked += len(prompts)
        think = self._contract.encode_text("<think> is </think>")
        return [
            Response((*think, prompt[-1], self._contract.end_of_document_id), (0.0,) * 5, True) for prompt in prompts
        ]

    def logprobs(self, sequences: Sequence[Sequence[int]]) -> list[list[float]]:
        return [[-math.log(8)] * (len(sequence) - 1) for sequence in sequences]

    def hidden_states(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        raise NotImplementedError


@pytest.fixture
def contract(tmp_path: Path) -> PromptContract:
    train_tokenizer(TokenizerConfig(kind="word_level"), [WORDS], tmp_path / "tokenizer.json")
    return PromptContract.load(tmp_path / "tokenizer.json")


def test_every_packaged_task_is_valid() -> None:
    assert len(task_names()) >= 9
    assert all(load_task(name).name == name for name in task_names())


def test_an_unknown_task_is_answered_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="did you mean miniature_math"):
        load_task("miniature_maths")


def generate_task(**settings: object) -> GenerateTask:
    base = {
        "name": "t",
        "version": 1,
        "description": "",
        "domain": "math",
        "kind": "generate",
        "path": "x",
        "max_new_tokens": 8,
    }
    return GenerateTask.model_validate({**base, **settings})


def rows(count: int) -> list[dict[str, object]]:
    words = ["one", "two", "three", "four"]
    return [
        {
            "id": str(n),
            "prompt": f"is {words[n % 4]}",
            "answer": words[n % 4 if n % 2 else 0],
            "verifier": {"kind": "exact"},
        }
        for n in range(count)
    ]


def test_pass_rate_is_the_share_of_right_answers(contract: PromptContract, tmp_path: Path) -> None:
    task = generate_task(samples=2)
    model = Echo(contract)
    found = run_generation(task, questions(task, rows(40)), model, contract, tmp_path / "s.jsonl", "key")
    metrics = found.metrics
    assert metrics["pass_rate"]["value"] == 0.75 and metrics["pass_rate_greedy"]["value"] == 0.75
    assert metrics["pass_rate"]["low"] < 0.75 < metrics["pass_rate"]["high"]
    assert found.too_long == 0 and model.asked == 120
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").open()]
    assert [line["pass_rate"] for line in lines[:3]] == [1.0, 1.0, 0.0]


def test_a_killed_evaluation_goes_on_at_its_last_whole_batch(contract: PromptContract, tmp_path: Path) -> None:
    task = generate_task(samples=64, greedy=False)
    path, asked = tmp_path / "s.jsonl", questions(task, rows(30))
    run_generation(task, asked, Echo(contract), contract, path, "key")
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    assert prompts_at_once(task) == 8
    torn = [b"".join(lines[:8]), b"".join(lines[:15]) + lines[15][:40], b"".join(lines[:9]) + b"\0\0\0"]
    for left, kept in zip(torn, (8, 8, 8), strict=True):
        path.write_bytes(left)
        model = Echo(contract)
        run_generation(task, asked, model, contract, path, "key")
        assert model.asked == 64 * (30 - kept) and path.read_bytes() == whole


def test_what_is_finished_is_not_asked_again_and_another_checkpoints_is(
    contract: PromptContract, tmp_path: Path
) -> None:
    task = generate_task(samples=64, greedy=False)
    path, asked, model = tmp_path / "s.jsonl", questions(task, rows(30)), Echo(contract)
    first = run_generation(task, asked, model, contract, path, "key")
    again = run_generation(task, asked, model, contract, path, "key")
    assert model.asked == 64 * 30 and first == again
    run_generation(task, asked, model, contract, path, "another")
    assert model.asked == 2 * 64 * 30
    assert {json.loads(line)["key"] for line in path.open()} == {"another"}


def test_a_resumed_run_draws_what_an_uninterrupted_one_does(contract: PromptContract, tmp_path: Path) -> None:
    task = generate_task(samples=256)
    seeds: dict[str, list[int]] = {}

    class Seeds(Echo):
        def __init__(self, name: str, stop_after: int | None = None) -> None:
            super().__init__(contract)
            self.drawn, self.left = seeds.setdefault(name, []), stop_after

        def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Response]:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left = None if self.left is None else self.left - 1
            self.drawn += [request.seed for request in requests]
            return super().generate(requests, sampling)

    asked = questions(task, rows(5))
    run_generation(task, asked, Seeds("whole"), contract, tmp_path / "whole.jsonl", "key")
    with pytest.raises(KeyboardInterrupt):
        run_generation(task, asked, Seeds("killed", 4), contract, tmp_path / "killed.jsonl", "key")
    run_generation(task, asked, Seeds("killed"), contract, tmp_path / "killed.jsonl", "key")
    assert seeds["killed"] == seeds["whole"]
    assert (tmp_path / "killed.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_groups_have_their_own_pass_rates(contract: PromptContract, tmp_path: Path) -> None:
    task = generate_task(samples=2, rows={"kind": "math"})
    given = [
        {**row, "group": {"level": "hard" if n % 4 == 2 else "easy", "subject": "words"}}
        for n, row in enumerate(rows(40))
    ]
    found = run_generation(task, questions(task, given), Echo(contract), contract, tmp_path / "s.jsonl", "key")
    assert list(found.groups) == ["level", "subject"] and list(found.groups["level"]) == ["easy", "hard"]
    assert found.groups["level"]["easy"]["prompts"] == 30
    assert found.groups["level"]["easy"]["metrics"]["pass_rate"]["value"] == 1.0
    assert found.groups["level"]["hard"]["metrics"]["pass_rate"]["value"] == 0.0
    assert found.groups["subject"]["words"]["metrics"] == found.metrics


def test_a_column_that_is_missing_is_named_with_those_there_are() -> None:
    with pytest.raises(BadInput, match=r"row 0: no column answer \(here: problem, prompt\).*Remedy"):
        questions(generate_task(), [{"problem": "?", "prompt": "?"}])


def test_with_many_samples_a_batch_has_fewer_prompts_and_finished_ones_stay(
    contract: PromptContract, tmp_path: Path
) -> None:
    task = generate_task(greedy=False, samples=8)
    path, asked = tmp_path / "s.jsonl", questions(task, rows(100))
    run_generation(task, asked, Echo(contract), contract, path, "key")
    whole = path.read_text()
    model = Echo(contract)
    run_generation(task, asked, model, contract, path, "key")  # its result was lost, no sample was
    assert model.asked == 0 and path.read_text() == whole
    path.write_text("".join(line + "\n" for line in whole.splitlines()[:70]))
    run_generation(task, asked, model, contract, path, "key")
    assert model.asked == 8 * 36 and path.read_text() == whole


def test_prompts_beyond_the_context_are_counted_not_cut(contract: PromptContract, tmp_path: Path) -> None:
    task = generate_task(greedy=False)
    given = [*rows(3), {"prompt": "one " * 30, "answer": "one", "verifier": {"kind": "exact"}}]
    found = run_generation(task, questions(task, given), Echo(contract), contract, tmp_path / "s.jsonl", "key")
    assert found.too_long == 1
    assert len((tmp_path / "s.jsonl").read_text().splitlines()) == 3


def test_options_are_listed_with_letters() -> None:
    task = generate_task(choices="choices", verifier={"kind": "choice"})
    (question,) = questions(task, [{"prompt": "which ?", "choices": ["one", "two"], "answer": 1}])
    assert question.text == "which ?\nA. one\nB. two"
    assert question.row["answer"] == "two"


def test_a_uniform_model_costs_three_bits_a_token(contract: PromptContract) -> None:
    task = BitsTask.model_validate(
        {"name": "b", "version": 1, "description": "", "domain": "math", "kind": "bits_per_byte", "path": "x"}
    )
    text = "one two three four " * 20
    metrics = run_bits(task, [{"text": text.strip()}], Echo(contract), contract)
    assert metrics["bits_per_byte"]["value"] == pytest.approx(3 * 80 / len(text.strip()))


def test_the_shorter_option_is_likelier_under_a_uniform_model(contract: PromptContract) -> None:
    task = ChoiceTask.model_validate(
        {"name": "c", "version": 1, "description": "", "domain": "math", "kind": "choice", "path": "x"}
    )
    given = [{"context": "one plus two is", "choices": ["three four", "three"], "answer": n} for n in (0, 1, 1, 1)]
    metrics, _ = run_choice(task, given, Echo(contract), contract)
    assert metrics["accuracy"]["value"] == 0.75


def test_pass_at_k_of_every_prompt_is_averaged_with_an_interval() -> None:
    task = generate_task(samples=4, greedy=False)
    lines = [
        {"responses": [{"correct": number < right, "formatted": True, "tokens": 3} for number in range(4)]}
        for right in (0, 1, 2, 4)
    ]
    metrics = metrics_of(task, lines)
    assert metrics["pass_rate"]["value"] == pytest.approx((0 + 1 / 4 + 2 / 4 + 1) / 4)
    assert metrics["pass@2"]["value"] == pytest.approx((0 + 1 / 2 + 5 / 6 + 1) / 4)
    assert metrics["pass@4"]["value"] == pytest.approx(3 / 4)
    assert metrics["pass@2"]["low"] < metrics["pass@2"]["value"] < metrics["pass@2"]["high"]
    assert [name for name in metrics if name.startswith("pass@")] == ["pass@2", "pass@4"]


def test_pass_at_k_is_told_of_powers_of_two_and_of_all_samples() -> None:
    assert [several(samples) for samples in (0, 1, 2, 3, 8, 64)] == [
        [], [], [2], [2, 3], [2, 4, 8], [2, 4, 8, 16, 32, 64],
    ]  # fmt: skip


def test_pass_at_k_is_unbiased() -> None:
    assert pass_at_k(samples=4, correct=1, k=1) == 0.25
    assert pass_at_k(samples=4, correct=1, k=4) == 1.0
    assert json.dumps(mean_interval([0.0, 1.0, 1.0]).as_json())
