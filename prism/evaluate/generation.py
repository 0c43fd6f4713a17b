"""Generation tasks: sample, decode greedily, verify; interrupted work resumes by prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.files import fingerprint, read_jsonl, write_jsonl
from prism.evaluate.statistics import mean_interval, pass_at_k, several
from prism.evaluate.task import GenerateTask
from prism.generate import LanguageModel, Request, Response, Sampling
from prism.generate.sampling import sample_seed
from prism.prompts import PromptContract
from prism.score import verify

_MOST_PROMPTS, _FEWEST_PROMPTS, _RESPONSES = 256, 32, 512
"""Of a batch, after which finished prompts are on disk: fewer prompts where each has many responses."""
_PURPOSE = 1
"""Sets the randomness of evaluation apart from that of RL."""


@dataclass(frozen=True)
class Question:
    """A prompt of the task, as text, with the row that its verifier reads."""

    id: str
    text: str
    row: Mapping[str, Any]


def questions(task: GenerateTask, rows: Sequence[Mapping[str, Any]]) -> list[Question]:
    """The task's prompts; options, if any, are listed with letters, one a line."""
    made = []
    for number, row in enumerate(rows):
        text, answer = str(row[task.prompt]), row[task.answer]
        verifier = dict(task.verifier or row.get("verifier", {}))
        if task.choices:
            options = row[task.choices]
            listed = [f"{chr(ord('A') + place)}. {option}" for place, option in enumerate(options)]
            text = "\n".join([text, *listed])
            verifier["choices"] = options
            answer = options[answer]
        made.append(
            Question(str(row.get("id", number)), text, {"prompt": text, "answer": answer, "verifier": verifier})
        )
    return made


def run_generation(
    task: GenerateTask,
    asked: Sequence[Question],
    model: LanguageModel,
    contract: PromptContract,
    samples_file: Path,
    key: str,
) -> tuple[dict[str, Any], int]:
    """Answers every prompt; writes a line a prompt to `samples_file` as it goes.

    Args:
        key: fingerprint of checkpoint and task; lines that carry another are thrown away.

    Returns:
        Metrics with intervals, and the number of prompts too long for the context.
    """
    encoded = contract.encode_prompts([question.text for question in asked])
    fitting = [
        (question, tokens)
        for question, tokens in zip(asked, encoded, strict=True)
        if len(tokens) < model.context_length
    ]
    at_once = min(_MOST_PROMPTS, max(_FEWEST_PROMPTS, _RESPONSES // max(1, task.samples)))
    done = _resume(samples_file, key, at_once, len(fitting))
    # Batches begin at fixed places, so that a resumed run draws what an uninterrupted one does.
    for first in range(len(done), len(fitting), at_once):
        done = done + _answer(task, fitting[first : first + at_once], model, contract, first)
        write_jsonl(samples_file, ({**line, "key": key} for line in done))
    return metrics_of(task, done), len(asked) - len(fitting)


def _resume(samples_file: Path, key: str, at_once: int, count: int) -> list[dict[str, Any]]:
    """Lines of whole batches, or all `count` of them."""
    if not samples_file.is_file():
        return []
    lines = list(read_jsonl(samples_file))
    if any(line.get("key") != key for line in lines):
        return []
    return lines if len(lines) == count else lines[: len(lines) - len(lines) % at_once]


def _answer(
    task: GenerateTask,
    batch: Sequence[tuple[Question, list[int]]],
    model: LanguageModel,
    contract: PromptContract,
    first: int,
) -> list[dict[str, Any]]:
    """Args: first: number of the batch's first prompt among the task's; a sample's randomness depends on its own."""
    prompts = [tokens for _, tokens in batch]
    sampled = Sampling(task.temperature, task.top_p, task.max_new_tokens, contract.stop_ids)
    requests = [
        Request(tokens, sample_seed(_PURPOSE, first + index, number))
        for index, tokens in enumerate(prompts)
        for number in range(task.samples)
    ]
    responses = model.generate(requests, sampled)
    rounds = [responses[number :: task.samples] for number in range(task.samples)]
    if task.greedy:
        greedy = Sampling(0.0, 1.0, task.max_new_tokens, contract.stop_ids)
        rounds.append(model.generate([Request(tokens, 0) for tokens in prompts], greedy))
    judged = [_judge(batch, answers, contract) for answers in rounds]
    lines = []
    for index, (question, _) in enumerate(batch):
        lines.append(
            {
                "id": question.id,
                "prompt": question.text,
                "answer": question.row["answer"],
                "responses": [round_[index] for round_ in judged[: task.samples]],
                "greedy": judged[-1][index] if task.greedy else None,
            }
        )
    return lines


def _judge(
    batch: Sequence[tuple[Question, list[int]]], responses: Sequence[Response], contract: PromptContract
) -> list[dict[str, Any]]:
    texts = [contract.decode_response(response.tokens, response.stopped) for response in responses]
    verdicts = verify([(question.row, text) for (question, _), text in zip(batch, texts, strict=True)])
    return [
        {
            "text": text,
            "correct": verdict.correct and response.stopped,
            "formatted": verdict.formatted,
            "stopped": response.stopped,
            "tokens": len(response.tokens),
            "nll": None if not response.logprobs else round(-_mean(response.logprobs), 6),
        }
        for text, verdict, response in zip(texts, verdicts, responses, strict=True)
    ]


def metrics_of(task: GenerateTask, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Metrics with intervals over prompts, from the lines of the samples file.

    `pass_rate` is pass@1 as the mean over samples; `pass@k` is unbiased, for k of 2, 4, 8 ... and all samples.
    """
    metrics: dict[str, Any] = {}
    if not lines:
        return metrics
    if task.samples:
        for name, field in (("pass_rate", "correct"), ("format_rate", "formatted"), ("response_length", "tokens")):
            means = [_mean([response[field] for response in line["responses"]]) for line in lines]
            metrics[name] = mean_interval(means).as_json()
        correct = [sum(response["correct"] for response in line["responses"]) for line in lines]
        for k in several(task.samples):
            metrics[f"pass@{k}"] = mean_interval([pass_at_k(task.samples, c, k) for c in correct]).as_json()
    if task.greedy:
        metrics["pass_rate_greedy"] = mean_interval([float(line["greedy"]["correct"]) for line in lines]).as_json()
        if not task.samples:
            metrics["format_rate"] = mean_interval([float(line["greedy"]["formatted"]) for line in lines]).as_json()
    return metrics


def _mean(values: Sequence[float]) -> float:
    return float(sum(values) / len(values))


def task_key(checkpoint: str, task: GenerateTask) -> str:
    """Names what the samples depend on: the checkpoint's content and the whole task."""
    return fingerprint([checkpoint, task.model_dump()])
