"""Generation settings: what contradicts itself is refused, nothing is decoded greedily in silence."""

from __future__ import annotations

from typing import Any

import pytest

from prism.errors import UsageError
from prism.evaluate.harness.decoding import MAX_NEW_TOKENS, Decoding, decoding_of

TEMPERATURES: list[tuple[dict[str, Any], float]] = [
    ({}, 0.0),
    ({"temperature": 0}, 0.0),
    ({"temperature": "0.7"}, 0.7),
    ({"do_sample": False}, 0.0),
    ({"do_sample": False, "temperature": 0.0}, 0.0),
    ({"do_sample": True}, 1.0),
    ({"do_sample": True, "temperature": 0.6}, 0.6),
]


@pytest.mark.parametrize(("settings", "temperature"), TEMPERATURES)
def test_sampling_is_what_the_task_says(settings: dict[str, Any], temperature: float) -> None:
    assert decoding_of(settings, "t").temperature == temperature


@pytest.mark.parametrize(
    "settings",
    [
        {"do_sample": False, "temperature": 0.7},
        {"do_sample": True, "temperature": 0},
        {"max_gen_toks": 5, "max_tokens": 6},
        {"do_sample": True, "top_k": 50},
        {"num_beams": 4},
        {"logit_bias": {"3": 1}},
    ],
)
def test_what_contradicts_itself_or_is_not_supported_is_refused_with_the_task(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"generation of harness task my_task: .*Remedy: "):
        decoding_of(settings, "my_task")


def test_neutral_keys_and_those_without_effect_on_greedy_decoding_pass() -> None:
    found = decoding_of({"num_beams": 1, "top_k": 50, "top_p": 0.9, "repetition_penalty": 1.0, "until": None}, "t")
    assert found == Decoding(0.0, 1.0, MAX_NEW_TOKENS, ())


def test_top_p_length_and_texts_are_kept() -> None:
    found = decoding_of({"do_sample": True, "top_p": 0.9, "max_new_tokens": "7", "until": "\n"}, "t")
    assert found == Decoding(1.0, 0.9, 7, ("\n",))
