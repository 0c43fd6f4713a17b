"""Rollouts: responses sampled from the policy, verified and rewarded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prism.generate.protocol import Generator, Request, Response, Sampling
from prism.prompts import PromptContract
from prism.rl.prompts import RlPrompt
from prism.score.rewards import Answered, Judged, judge

if TYPE_CHECKING:
    from prism.recipe import RewardsConfig


@dataclass(frozen=True)
class Sampled:
    """A response to a prompt, not yet judged. `text` is without the stop token."""

    prompt: RlPrompt
    prompt_tokens: tuple[int, ...]
    response: Response
    text: str


@dataclass(frozen=True)
class Rollout(Sampled):
    """One response to one prompt, and what it is worth."""

    judged: Judged


def roll_out(
    generator: Generator,
    contract: PromptContract,
    prompts: Sequence[RlPrompt],
    responses_per_prompt: int,
    sampling: Sampling,
    seed_of: Callable[[int, int], int],
    rewards: RewardsConfig,
) -> list[Rollout]:
    """Samples a group of responses a prompt and judges them; groups are contiguous and in the order of the prompts.

    Args: seed_of: (number of the prompt, number of the sample) -> seed of its randomness.
    """
    return judge_all(sample(generator, contract, prompts, responses_per_prompt, sampling, seed_of), rewards)


def sample(
    generator: Generator,
    contract: PromptContract,
    prompts: Sequence[RlPrompt],
    responses_per_prompt: int,
    sampling: Sampling,
    seed_of: Callable[[int, int], int],
) -> list[Sampled]:
    """See `roll_out`."""
    encoded = [tuple(tokens) for tokens in contract.encode_prompts([prompt.question for prompt in prompts])]
    asked = [
        (prompt, Request(tokens, seed_of(number, number_of_sample)))
        for number, (prompt, tokens) in enumerate(zip(prompts, encoded, strict=True))
        for number_of_sample in range(responses_per_prompt)
    ]
    responses = generator.generate([request for _, request in asked], sampling)
    return [
        Sampled(prompt, tuple(request.prompt), response, contract.decode_response(response.tokens, response.stopped))
        for (prompt, request), response in zip(asked, responses, strict=True)
    ]


def judge_all(sampled: Sequence[Sampled], rewards: RewardsConfig) -> list[Rollout]:
    """Verifies and rewards responses, all at once so that slow verifiers work side by side."""
    answered = [Answered(one.prompt.row, one.text, one.response.tokens, one.response.stopped) for one in sampled]
    return [
        Rollout(one.prompt, one.prompt_tokens, one.response, one.text, judged)
        for one, judged in zip(sampled, judge(answered, rewards), strict=True)
    ]
