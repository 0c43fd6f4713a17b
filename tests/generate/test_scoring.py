"""Scores of continuations, and texts that end responses, on a model with random weights."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence

import pytest

from prism.errors import BadInput
from prism.generate import Request, Sampling
from prism.generate.megatron import MegatronLanguageModel
from prism.generate.stop_texts import StopTexts
from prism.megatron.parallel import Layout, process_groups
from prism.megatron.trainee import build_frozen
from prism.models.family import identify
from tests.models.tiny import CONTEXT, TINY, VOCABULARY

GREEDY = Sampling(temperature=0, top_p=1, max_new_tokens=30, stop_ids=())


@pytest.fixture(scope="module", params=["llama_3_1_8b", "nemotron_h_8b"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MegatronLanguageModel]:
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "config.json").write_text(json.dumps(TINY[request.param]))
    with process_groups(Layout(), seed=1):
        yield MegatronLanguageModel(build_frozen(identify(folder), VOCABULARY, Layout()), VOCABULARY, CONTEXT, slots=4)


def drawn(count: int, longest: int, seed: int) -> list[list[int]]:
    source = random.Random(seed)
    return [[source.randrange(VOCABULARY) for _ in range(source.randrange(1, longest))] for _ in range(count)]


def as_text(tokens: Sequence[int]) -> str:
    return "".join(chr(0x100 + token) for token in tokens)


def test_a_score_is_the_sum_of_the_continuation_log_probabilities(model: MegatronLanguageModel) -> None:
    contexts, continuations = drawn(20, 40, 1), drawn(20, 20, 2)
    scored = model.score([*contexts, contexts[0]], [*continuations, [*continuations[0][:-1], 7]])
    whole = [[*context, *continuation] for context, continuation in zip(contexts, continuations, strict=True)] + [
        [*contexts[0], *continuations[0][:-1], 7]
    ]
    for one, values, continuation in zip(
        scored, model.logprobs(whole), [*continuations, continuations[0]], strict=True
    ):
        assert one.logprob == pytest.approx(sum(values[-len(continuation) :]), abs=1e-4)


def test_only_what_greedy_decoding_says_is_greedy(model: MegatronLanguageModel) -> None:
    contexts = drawn(8, 30, 3)
    said = [list(one.tokens) for one in model.generate([Request(context, 1) for context in contexts], GREEDY)]
    other = [[*tokens[:-1], (tokens[-1] + 1) % VOCABULARY] for tokens in said]
    scored = model.score(contexts * 2, said + other)
    assert [one.greedy for one in scored] == [True] * 8 + [False] * 8


def test_the_last_token_may_be_one_more_than_the_context_holds(model: MegatronLanguageModel) -> None:
    assert model.score([[1] * CONTEXT], [[2]])[0].logprob < 0
    with pytest.raises(BadInput, match=r"pair 0 has 81 \+ 1 tokens, the context holds 80"):
        model.score([[1] * (CONTEXT + 1)], [[2]])


def test_a_response_ends_after_a_stop_text_and_is_the_same_before_it(model: MegatronLanguageModel) -> None:
    requests = [Request(context, 1) for context in drawn(12, 30, 4)]
    whole = model.generate(requests, GREEDY)
    until = StopTexts((as_text(whole[0].tokens[5:7]), as_text(whole[1].tokens[9:10])), as_text)
    ended = model.generate_until(requests, GREEDY, until)
    for long, short in zip(whole, ended, strict=True):
        assert until.cut(as_text(short.tokens)) == until.cut(as_text(long.tokens))
        assert long.tokens[: len(short.tokens)] == short.tokens
    assert len(ended[0].tokens) < 20 and len(ended[1].tokens) < 25
