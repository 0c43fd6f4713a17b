"""Cached decoding against the full forward pass."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from prism.errors import BadInput
from prism.generate.megatron import MegatronLanguageModel
from prism.generate.protocol import Request, Response, Sampling
from prism.generate.sampling import sample_seed
from prism.megatron import decode_step
from prism.megatron.build import build_model
from prism.megatron.initialise import initialise
from prism.megatron.parallel import Layout
from prism.recipe import ModelConfig, load_recipe

VOCABULARY = 99
STOP = 5


@pytest.fixture
def language_model(model: ModelConfig, alone: Layout) -> MegatronLanguageModel:
    module = build_model(model, VOCABULARY, alone, "fp32")
    initialise(module, model, seed=3)
    return MegatronLanguageModel(module, VOCABULARY, context_length=64, slots=16)


def prompts(count: int) -> list[list[int]]:
    generator = random.Random(0)
    return [[generator.randrange(VOCABULARY) for _ in range(generator.randrange(3, 25))] for _ in range(count)]


def requests(count: int, seed: int = 1) -> list[Request]:
    return [Request(prompt, sample_seed(seed, number)) for number, prompt in enumerate(prompts(count))]


def difference(model: MegatronLanguageModel, asked: Sequence[Request], responses: Sequence[Response]) -> float:
    """Largest difference of log-probabilities from the full forward pass."""
    full = model.logprobs([[*r.prompt, *a.tokens] for r, a in zip(asked, responses, strict=True)])
    return max(
        abs(ours - theirs)
        for request, response, values in zip(asked, responses, full, strict=True)
        for ours, theirs in zip(response.logprobs, values[len(request.prompt) - 1 :], strict=True)
    )


@pytest.fixture(params=["compiled", "torch"])
def steps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether a token's parts are compiled, or torch's operators as on a GPU."""
    if request.param == "torch":
        for name in ("serves", "serves_embedding", "serves_head"):
            monkeypatch.setattr(decode_step, name, lambda *_: False)
    return str(request.param)


@pytest.mark.usefixtures("steps")
def test_decoding_in_slots_equals_the_full_forward(language_model: MegatronLanguageModel) -> None:
    asked = requests(40)
    assert difference(language_model, asked, language_model.generate(asked, Sampling(1.0, 1.0, 20, (STOP,)))) < 2e-5


def test_responses_of_very_different_lengths_leave_and_enter_slots_unharmed(
    language_model: MegatronLanguageModel,
) -> None:
    lengths = random.Random(1)
    asked = [replace(one, max_new_tokens=lengths.choice([1, 2, 5, 30])) for one in requests(80)]
    responses = language_model.generate(asked, Sampling(1.0, 1.0, 30, ()))
    assert [len(response.tokens) for response in responses] == [one.max_new_tokens for one in asked]
    assert difference(language_model, asked, responses) < 2e-5


def test_a_groups_responses_share_their_prompts_pass(language_model: MegatronLanguageModel) -> None:
    asked = [Request(prompt, sample_seed(3, n, k)) for n, prompt in enumerate(prompts(5)) for k in range(8)]
    responses = language_model.generate(asked, Sampling(1.0, 1.0, 20, (STOP,)))
    assert difference(language_model, asked, responses) < 2e-5
    assert len({response.tokens for response in responses[:8]}) > 4


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_response_does_not_depend_on_what_else_is_decoded(
    language_model: MegatronLanguageModel, temperature: float
) -> None:
    asked = requests(40)
    sampling = Sampling(temperature, 1.0, 20, (STOP,))
    together = [response.tokens for response in language_model.generate(asked, sampling)]
    alone = [language_model.generate([one], sampling)[0].tokens for one in asked[:6]]
    assert alone == together[:6]
    backwards = [response.tokens for response in language_model.generate(asked[::-1], sampling)]
    assert backwards[::-1] == together


def test_a_response_ends_with_its_stop_token_or_at_its_limit(language_model: MegatronLanguageModel) -> None:
    for response in language_model.generate(requests(64), Sampling(1.0, 1.0, 30, (STOP,))):
        assert (response.tokens[-1] == STOP) == response.stopped
        assert STOP not in response.tokens[:-1]
        assert response.stopped or len(response.tokens) == 30


def test_a_response_never_outgrows_the_context(language_model: MegatronLanguageModel) -> None:
    (response,) = language_model.generate([Request([7] * 60, 2)], Sampling(1.0, 1.0, 30, ()))
    assert len(response.tokens) == 4


def test_the_same_seeds_give_the_same_responses(language_model: MegatronLanguageModel) -> None:
    sampling = Sampling(1.0, 0.9, 20, (STOP,))
    first = language_model.generate(requests(20, seed=9), sampling)
    assert language_model.generate(requests(20, seed=9), sampling) == first
    assert language_model.generate(requests(20, seed=10), sampling) != first


def test_a_prompt_that_fills_the_context_is_refused(language_model: MegatronLanguageModel) -> None:
    with pytest.raises(BadInput, match="prompt 1 has 64 tokens"):
        language_model.generate([Request([1], 0), Request([2] * 64, 0)], Sampling(1.0, 1.0, 4, ()))


@pytest.mark.usefixtures("steps")
def test_a_sliding_window_holds_across_slots(alone: Layout) -> None:
    sizes = load_recipe("miniature").model.model_copy(update={"sliding_window": 8})
    module = build_model(sizes, VOCABULARY, alone, "fp32")
    initialise(module, sizes, seed=3)
    model = MegatronLanguageModel(module, VOCABULARY, context_length=64, slots=16)
    asked = requests(40)
    assert difference(model, asked, model.generate(asked, Sampling(1.0, 1.0, 30, (STOP,)))) < 2e-5


def test_hidden_states_are_means_over_a_sequences_own_positions(language_model: MegatronLanguageModel) -> None:
    given = prompts(5)
    together = language_model.hidden_states(given)
    for index, prompt in enumerate(given):
        alone = language_model.hidden_states([prompt])
        torch.testing.assert_close(together[:, index], alone[:, 0], atol=1e-5, rtol=1e-5)
