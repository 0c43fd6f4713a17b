"""Rollouts: responses sampled from the policy, verified and rewarded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prism.generate.protocol import Generator, Response, Sampling
from prism.prompts import PromptContract
from prism.rl.prompts import RlPrompt
from prism.score import Verdict, verify
from prism.score.penalties import reward


@dataclass(frozen=True)
class Rollout:
    """One response to one prompt."""

    prompt: RlPrompt
    prompt_tokens: tuple[int, ...]
    response: Response
    text: str
    verdict: Verdict
    reward: float


def roll_out(
    generator: Generator,
    contract: PromptContract,
    prompts: Sequence[RlPrompt],
    responses_per_prompt: int,
    sampling: Sampling,
    seed: int,
    *,
    stop_penalty: float = 0.0,
    repetition_penalty: float = 0.0,
) -> list[Rollout]:
    """Samples a group of responses a prompt; groups are contiguous and in the order of the prompts."""
    repeated = [prompt for prompt in prompts for _ in range(responses_per_prompt)]
    encoded = {prompt.question: tuple(contract.encode_prompt(prompt.question)) for prompt in prompts}
    tokens = [encoded[prompt.question] for prompt in repeated]
    responses = generator.generate(tokens, sampling, seed)
    texts = [contract.decode_response(response.tokens, response.stopped) for response in responses]
    verdicts = verify([(prompt.row, text) for prompt, text in zip(repeated, texts, strict=True)])
    return [
        Rollout(
            prompt,
            prompt_tokens,
            response,
            text,
            verdict,
            reward(verdict, response.stopped, response.tokens, stop_penalty, repetition_penalty),
        )
        for prompt, prompt_tokens, response, text, verdict in zip(
            repeated, tokens, responses, texts, verdicts, strict=True
        )
    ]
