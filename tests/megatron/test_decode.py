"""Cached decoding against the full forward pass."""

import random

import pytest
import torch

from prism.errors import BadInput
from prism.generate.megatron import MegatronLanguageModel
from prism.generate.protocol import Sampling
from prism.megatron.build import build_model
from prism.megatron.initialise import initialise
from prism.megatron.parallel import Layout
from prism.recipe import ModelConfig

VOCABULARY = 99
STOP = 5


@pytest.fixture
def language_model(model: ModelConfig, alone: Layout) -> MegatronLanguageModel:
    module = build_model(model, VOCABULARY, alone, "fp32")
    initialise(module, model, seed=3)
    return MegatronLanguageModel(module, VOCABULARY, context_length=64, batch_size=16)


def prompts(count: int) -> list[list[int]]:
    generator = random.Random(0)
    return [[generator.randrange(VOCABULARY) for _ in range(generator.randrange(3, 25))] for _ in range(count)]


def test_decoding_a_padded_batch_equals_the_full_forward(language_model: MegatronLanguageModel) -> None:
    given = prompts(40)
    responses = language_model.generate(given, Sampling(1.0, 1.0, 20, (STOP,)), seed=1)
    full = language_model.logprobs([[*p, *r.tokens] for p, r in zip(given, responses, strict=True)])
    for prompt, response, values in zip(given, responses, full, strict=True):
        torch.testing.assert_close(
            torch.tensor(response.logprobs), torch.tensor(values[len(prompt) - 1 :]), atol=2e-5, rtol=0
        )


def test_a_prompts_response_does_not_depend_on_its_batch(language_model: MegatronLanguageModel) -> None:
    given = prompts(24)
    greedy = Sampling(0.0, 1.0, 20, (STOP,))
    together = language_model.generate(given, greedy, seed=1)
    alone = [language_model.generate([prompt], greedy, seed=1)[0].tokens for prompt in given[:6]]
    assert alone == [response.tokens for response in together[:6]]


def test_a_response_ends_with_its_stop_token_or_at_its_limit(language_model: MegatronLanguageModel) -> None:
    for response in language_model.generate(prompts(64), Sampling(1.0, 1.0, 30, (STOP,)), seed=2):
        assert (response.tokens[-1] == STOP) == response.stopped
        assert STOP not in response.tokens[:-1]
        assert response.stopped or len(response.tokens) == 30


def test_a_response_never_outgrows_the_context(language_model: MegatronLanguageModel) -> None:
    (response,) = language_model.generate([[7] * 60], Sampling(1.0, 1.0, 30, ()), seed=2)
    assert len(response.tokens) == 4


def test_the_same_seed_gives_the_same_responses(language_model: MegatronLanguageModel) -> None:
    sampling = Sampling(1.0, 0.9, 20, (STOP,))
    first = language_model.generate(prompts(20), sampling, seed=9)
    assert language_model.generate(prompts(20), sampling, seed=9) == first
    assert language_model.generate(prompts(20), sampling, seed=10) != first


def test_a_prompt_that_fills_the_context_is_refused(language_model: MegatronLanguageModel) -> None:
    with pytest.raises(BadInput, match="prompt 1 has 64 tokens"):
        language_model.generate([[1], [2] * 64], Sampling(1.0, 1.0, 4, ()), seed=1)


def test_hidden_states_are_means_over_a_sequences_own_positions(language_model: MegatronLanguageModel) -> None:
    given = prompts(5)
    together = language_model.hidden_states(given)
    for index, prompt in enumerate(given):
        alone = language_model.hidden_states([prompt])
        torch.testing.assert_close(together[:, index], alone[:, 0], atol=1e-5, rtol=1e-5)
