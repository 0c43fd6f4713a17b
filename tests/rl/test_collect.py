"""A step's rollouts: refilled where groups teach nothing, on disk before anything is trained, replayed as they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from prism.generate.protocol import Request, Response, Sampling
from prism.megatron.parallel import Layout, process_groups
from prism.prompts import PromptContract
from prism.recipe import RlConfig
from prism.rl.clock import StepClock
from prism.rl.collect import Collected, Collector
from prism.rl.journal import Journal
from prism.rl.prompts import PromptSampler, RlPrompt

WORDS = ["<eos>", "<unk>", "<think>", "</think>", "so", *[f"q{n}" for n in range(40)], *[str(n) for n in range(40)]]
ANSWER = WORDS.index("0")


class Scripted:
    """Answers even prompts alike every time, odd ones rightly on every other sample; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Response]:
        self.asked += requests
        return [self._answer(request, place) for place, request in enumerate(requests)]

    def _answer(self, request: Request, place: int) -> Response:
        number = request.prompt[0] - WORDS.index("q0")
        right = number % 2 == 1 and place % 2 == 0
        said = ANSWER + (number if right else 39 - number)
        tokens = (WORDS.index("<think>"), WORDS.index("so"), WORDS.index("</think>"), said, 0)
        return Response(tokens, (-0.5,) * 5, True)


@pytest.fixture(autouse=True)
def groups() -> Iterator[None]:
    with process_groups(Layout(), seed=1):
        yield


@pytest.fixture
def contract(tmp_path: Path) -> PromptContract:
    tokenizer = Tokenizer(WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return PromptContract.load(tmp_path / "tokenizer.json")


def prompts() -> list[RlPrompt]:
    rows: list[dict[str, Any]] = [
        {"prompt": f"q{n}", "answer": str(n), "verifier": {"kind": "exact"}} for n in range(20)
    ]
    return [RlPrompt("math", row["prompt"], row) for row in rows]


def collector(
    contract: PromptContract, folder: Path, generator: Scripted, sampler: PromptSampler, **keys: Any
) -> Collector:
    config = RlConfig.model_validate({"prompts_per_step": 6, "responses_per_prompt": 4, "mix": {"math": 100}, **keys})
    return Collector(config, generator, contract, sampler, Journal(folder), StepClock(None), seed=7)


def sampler() -> PromptSampler:
    return PromptSampler({"math": prompts()}, {"math": 100}, seed=3)


def questions(collected: Collected) -> list[str]:
    return [collected.group(number)[0].prompt.question for number in range(collected.groups)]


def test_groups_whose_responses_are_worth_the_same_are_left_out_and_counted(
    contract: PromptContract, tmp_path: Path
) -> None:
    found = collector(contract, tmp_path, Scripted(), sampler()).collect(1)
    odd = [number for number, question in enumerate(questions(found)) if int(question[1:]) % 2]
    assert found.groups == 6 and list(found.live) == odd and 0 < len(odd) < 6


def test_a_refilled_step_draws_until_enough_groups_teach_or_the_rounds_are_used_up(
    contract: PromptContract, tmp_path: Path
) -> None:
    full = collector(contract, tmp_path / "many", Scripted(), sampler(), refill_rounds=9).collect(1)
    assert len(full.live) == 6 and full.groups == sum(full.rounds) > 6
    short = collector(contract, tmp_path / "one", Scripted(), sampler(), refill_rounds=1).collect(1)
    assert len(short.rounds) == 2 and len(short.live) <= 6


def test_a_replayed_step_is_what_it_was_without_asking_the_generator(contract: PromptContract, tmp_path: Path) -> None:
    first = collector(contract, tmp_path, Scripted(), sampler(), refill_rounds=3).collect(1)
    silent, again = Scripted(), sampler()
    replayed = collector(contract, tmp_path, silent, again, refill_rounds=3).collect(1)
    assert not silent.asked and replayed.replayed and not first.replayed
    assert (list(replayed.rollouts), replayed.rounds, list(replayed.live)) == (
        list(first.rollouts), first.rounds, list(first.live),
    )  # fmt: skip
    assert again.state() == {"math": sum(first.rounds)}


def test_every_sample_of_a_run_has_a_seed_of_its_own(contract: PromptContract, tmp_path: Path) -> None:
    generator = Scripted()
    made = collector(contract, tmp_path, generator, sampler(), refill_rounds=2)
    for step in (1, 2, 3):
        made.collect(step)
    seeds = [request.seed for request in generator.asked]
    assert len(set(seeds)) == len(seeds) > 72
