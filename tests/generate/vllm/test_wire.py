"""What is sent to vLLM's `/v1/completions`, and which answers are taken."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prism.generate.protocol import Request, Response, Sampling
from prism.generate.vllm.server import tokens_done
from prism.generate.vllm.wire import BadAnswer, ask, read, unfit_prompt

SAMPLING = Sampling(temperature=0.7, top_p=0.9, max_new_tokens=4, stop_ids=(1, 2))
REQUEST = Request((7, 8, 9), seed=2**64 - 3)
ANSWER: dict[str, Any] = {
    "id": "cmpl-me",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "prompt_token_ids": [7, 8, 9],
            "token_ids": [5, 6, 1],
            "logprobs": {"token_logprobs": [-0.5, -1.0, 0.00001], "tokens": [f"token_id:{one}" for one in (5, 6, 1)]},
            "weight_versions": [{"version": "4", "start": 0, "end": 3}],
        }
    ],
}


def asked() -> Any:
    return ask(REQUEST, SAMPLING, 100, 4, "me")[0]


def test_everything_that_decides_a_draw_is_said() -> None:
    _, body = ask(REQUEST, SAMPLING, 100, 4, "me")
    wanted = {
        "prompt": [7, 8, 9],
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "max_tokens": 4,
        "stop_token_ids": [1, 2],
        "ignore_eos": True,
        "n": 1,
        "logprobs": 0,
        "request_id": "me",
    }
    assert {key: body[key] for key in wanted} == wanted


@given(st.integers(0, 2**64 - 1))
def test_a_seed_is_a_number_that_vllm_takes(seed: int) -> None:
    _, body = ask(Request((1,), seed), SAMPLING, 100, 0, "me")
    assert 0 <= body["seed"] < 2**63


@pytest.mark.parametrize(("own", "context", "room"), [(None, 100, 4), (2, 100, 2), (9, 100, 4), (None, 5, 2)])
def test_a_response_is_as_long_as_the_shortest_limit(own: int | None, context: int, room: int) -> None:
    _, body = ask(Request((7, 8, 9), 1, own), SAMPLING, context, 0, "me")
    assert body["max_tokens"] == room


def test_a_whole_answer_is_taken() -> None:
    assert read(ANSWER, asked()) == Response((5, 6, 1), (-0.5, -1.0, 0.0), stopped=True, policy_version=4)


def test_a_response_that_was_cut_at_its_limit_is_taken() -> None:
    answer = copy.deepcopy(ANSWER)
    choice = answer["choices"][0]
    choice["token_ids"], choice["finish_reason"] = [5, 6, 7, 8], "length"
    choice["logprobs"] = {"token_logprobs": [-1.0] * 4, "tokens": [f"token_id:{one}" for one in (5, 6, 7, 8)]}
    choice["weight_versions"] = [{"version": "4", "start": 0, "end": 1}, {"version": "4", "start": 1, "end": 4}]
    assert read(answer, asked()) == Response((5, 6, 7, 8), (-1.0,) * 4, stopped=False, policy_version=4)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("finish_reason", "length", "ends after 3 tokens with finish_reason 'length'"),
        ("finish_reason", "abort", "finish_reason 'abort'"),
        ("token_ids", [5, 6, 7], "ends after 3 tokens with finish_reason 'stop'"),
        ("token_ids", [5, 2, 1], "goes on after a stop token"),
        ("token_ids", [5, 6, 7, 8, 1], "5 tokens where 4 were asked for"),
        ("token_ids", [5, True, 1], "no token ids"),
        ("token_ids", [5, -6, 1], "no token ids"),
        ("token_ids", None, "no token ids"),
        ("prompt_token_ids", [7, 8], "another prompt"),
        ("logprobs", None, "no log-probabilities"),
        ("weight_versions", None, "which weights drew it"),
        ("weight_versions", [], "don't cover"),
        ("weight_versions", [{"version": "4", "start": 0, "end": 2}], "don't cover"),
        ("weight_versions", [{"version": "4", "start": 1, "end": 3}], "don't cover"),
        ("weight_versions", [{"version": "3", "start": 0, "end": 3}], "drawn by policy '3', not 4"),
    ],
)
def test_an_answer_that_is_wrong_in_one_way_says_which(key: str, value: Any, message: str) -> None:
    answer = copy.deepcopy(ANSWER)
    answer["choices"][0][key] = value
    with pytest.raises(BadAnswer, match=message):
        read(answer, asked())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    JSON, st.sampled_from([(), ("choices",), ("choices", 0), *(("choices", 0, key) for key in ANSWER["choices"][0])])
)
def test_whatever_else_comes_is_refused_and_nothing_breaks(value: Any, path: tuple[Any, ...]) -> None:
    answer = copy.deepcopy(ANSWER)
    if not path:
        answer = value
    else:
        place = answer
        for key in path[:-1]:
            place = place[key]
        if place[path[-1]] == value or path[-1] == "index":
            return
        place[path[-1]] = value
    with pytest.raises(BadAnswer):
        read(answer, asked())


def test_progress_is_all_tokens_of_all_engines() -> None:
    text = (
        "# HELP vllm:generation_tokens_total Number of generation tokens processed.\n"
        '# TYPE vllm:generation_tokens_total counter\nvllm:generation_tokens_total{engine="0",model_name="m"} 12.0\n'
        'vllm:generation_tokens_total{engine="1",model_name="m"} 3.0\nvllm:prompt_tokens_total{engine="0"} 1.5e+02\n'
        'vllm:generation_tokens_created{engine="0"} 1.7e9\n'
    )
    assert tokens_done(text) == 165
    assert tokens_done("other 1") is None


def test_prompts_that_leave_no_room_are_named() -> None:
    assert unfit_prompt([Request((1, 2), 1), Request((), 1)], 4) == "prompt 1 has 0 tokens, the context holds 4"
    assert unfit_prompt([Request((1,) * 3, 1)], 4) is None
