"""Evaluation of a model on a RULER task, with greedy decoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prism.evaluate.ruler.draft import RulerPrompt
from prism.evaluate.ruler.make import Material, make_prompt
from prism.evaluate.ruler.score import share_found
from prism.evaluate.ruler.settings import QuestionsTest
from prism.evaluate.samples import SamplesFile
from prism.evaluate.statistics import mean_interval
from prism.generate import LanguageModel, Request, Sampling
from prism.prompts import PromptContract

if TYPE_CHECKING:
    from prism.evaluate.task import RulerTask

_TOKENS_AT_ONCE = 65_536
_SHOWN_CHARACTERS = 400
_DEPTHS = ("early", "middle", "late")


def run_ruler(
    task: RulerTask,
    material: Material,
    model: LanguageModel,
    contract: PromptContract,
    samples_file: Path,
    key: str,
) -> tuple[dict[str, Any], int]:
    """Answers every prompt; writes a line a prompt to `samples_file` as it goes.

    `score` is the mean share of expected strings in a response; `score_early`, `score_middle` and `score_late` are
    those of prompts whose answer lies in the first, second and last third.

    Args:
        key: fingerprint of checkpoint, task and data; lines that carry another are thrown away.

    Returns:
        Metrics with intervals, and the number of prompts too long for the model's context: none or all.
    """
    count = task.limit or task.prompts
    if task.length > model.context_length:
        return {}, count
    at_once = max(1, _TOKENS_AT_ONCE // task.length)
    samples = SamplesFile(samples_file, key, count, at_once)
    for start in range(len(samples.lines), count, at_once):
        numbers = range(start, min(start + at_once, count))
        prompts = [
            make_prompt(task, number, material, lambda text: len(encode(task, contract, text))) for number in numbers
        ]
        samples.append(_answer(task, prompts, model, contract))
    return _metrics(samples.lines), 0


def encode(task: RulerTask, contract: PromptContract, text: str) -> list[int]:
    """A prompt's tokens: plain text that a response goes on with, or ended as a question."""
    return contract.encode_prompt(text) if task.as_prompt else contract.encode_text(text)


def _answer(
    task: RulerTask, prompts: Sequence[RulerPrompt], model: LanguageModel, contract: PromptContract
) -> list[dict[str, Any]]:
    greedy = Sampling(0.0, 1.0, task.max_new_tokens, contract.stop_ids)
    responses = model.generate([Request(encode(task, contract, prompt.text), 0) for prompt in prompts], greedy)
    one_is_enough = isinstance(task.test, QuestionsTest)
    lines = []
    for prompt, response in zip(prompts, responses, strict=True):
        text = contract.decode_response(response.tokens, response.stopped)
        score = share_found(text, prompt.expected, one_is_enough=one_is_enough)
        lines.append(
            {
                "id": str(prompt.index),
                "prompt": _shown(prompt.text),
                "prompt_tokens": prompt.tokens,
                "answer": list(prompt.expected),
                "depths": [round(depth, 4) for depth in prompt.depths],
                "responses": [],
                "greedy": {"text": text, "correct": score == 1.0, "score": score, "tokens": len(response.tokens)},
            }
        )
    return lines


def _shown(text: str) -> str:
    """Beginning and end: the whole can be made again."""
    left = len(text) - 2 * _SHOWN_CHARACTERS
    if left <= 0:
        return text
    return f"{text[:_SHOWN_CHARACTERS]} ... ({left:,} more characters) ... {text[-_SHOWN_CHARACTERS:]}"


def _metrics(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    metrics = {"score": mean_interval([line["greedy"]["score"] for line in lines]).as_json()}
    thirds: dict[str, list[float]] = {name: [] for name in _DEPTHS}
    for line in lines:
        if len(line["depths"]) == 1:
            thirds[_DEPTHS[min(2, int(3 * line["depths"][0]))]].append(line["greedy"]["score"])
    for name, scores in thirds.items():
        if scores:
            metrics[f"score_{name}"] = mean_interval(scores).as_json()
    return metrics
