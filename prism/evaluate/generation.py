"""Generation tasks: sample, decode greedily, verify; interrupted work resumes by prompt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prism.errors import BadInput
from prism.evaluate.samples import SamplesFile
from prism.evaluate.statistics import mean_interval, pass_at_k, several
from prism.evaluate.task import GenerateTask
from prism.generate import LanguageModel, Request, Response, Sampling
from prism.generate.sampling import sample_seed
from prism.prompts import PromptContract
from prism.score import verify

_RESPONSES_AT_ONCE = 512
"""Responses between two writes: what a kill may cost. Fewer would leave a GPU waiting for each batch's longest."""

_PURPOSE = 1
"""Sets the randomness of evaluation apart from that of RL."""


@dataclass(frozen=True)
class Question:
    """A prompt of the task, as text, with the row that its verifier reads.

    group: what it belongs to, by what is grouped: {"level": "5"}.
    """

    id: str
    text: str
    row: Mapping[str, Any]
    group: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Generated:
    """What a generation task found.

    metrics: with intervals over prompts.
    groups: of each group its number of prompts and its metrics, by what is grouped.
    too_long: prompts beyond the context.
    """

    metrics: dict[str, Any]
    groups: dict[str, dict[str, Any]]
    too_long: int


def questions(task: GenerateTask, rows: Sequence[Mapping[str, Any]]) -> list[Question]:
    """The task's prompts; options, if any, are listed with letters, one a line.

    Raises:
        BadInput: a row lacks a column that the task names.
    """
    made = []
    for number, row in enumerate(rows):
        if task.rows is not None:
            made.append(Question(str(row["id"]), row["prompt"], row, row.get("group", {})))
            continue
        name = str(row.get("id", number))
        for column in filter(None, (task.prompt, task.answer, task.choices)):
            if column not in row:
                raise BadInput(
                    f"no column {column} (here: {', '.join(row)})",
                    place=f"{task.name}, row {name}",
                    remedy="correct the task's columns, or name the published form of its data as `rows`",
                )
        text, answer = str(row[task.prompt]), row[task.answer]
        verifier = dict(task.verifier or row.get("verifier", {}))
        if task.choices:
            options = row[task.choices]
            listed = [f"{chr(ord('A') + place)}. {option}" for place, option in enumerate(options)]
            text = "\n".join([text, *listed])
            verifier["choices"] = options
            answer = options[answer]
        # An error of a verifier shows the name, not the text.
        made.append(Question(name, text, {"id": name, "prompt": text, "answer": answer, "verifier": verifier}))
    return made


def run_generation(
    task: GenerateTask,
    asked: Sequence[Question],
    model: LanguageModel,
    contract: PromptContract,
    samples_file: Path,
    key: str,
) -> Generated:
    """Answers every prompt; writes a line a prompt to `samples_file` as it goes.

    Args:
        key: fingerprint of checkpoint, task and data; lines that carry another are thrown away.
    """
    encoded = contract.encode_prompts([question.text for question in asked])
    fitting = [
        (question, tokens)
        for question, tokens in zip(asked, encoded, strict=True)
        if len(tokens) < model.context_length
    ]
    at_once = prompts_at_once(task)
    samples = SamplesFile(samples_file, key, len(fitting), at_once)
    for first in range(len(samples.lines), len(fitting), at_once):
        samples.append(_answer(task, fitting[first : first + at_once], model, contract, first))
    return Generated(
        metrics_of(task, samples.lines), groups_of(task, samples.lines), too_long=len(asked) - len(fitting)
    )


def prompts_at_once(task: GenerateTask) -> int:
    """Prompts of a batch, between two writes; at least one, with all of its responses."""
    return max(1, _RESPONSES_AT_ONCE // max(1, task.samples + task.greedy))


def _answer(
    task: GenerateTask,
    batch: Sequence[tuple[Question, list[int]]],
    model: LanguageModel,
    contract: PromptContract,
    first: int,
) -> list[dict[str, Any]]:
    """Args: first: number of the batch's first prompt among the task's; a sample's randomness depends on its own."""
    sampled = Sampling(task.temperature, task.top_p, task.max_new_tokens, contract.stop_ids)
    requests = [
        Request(tokens, sample_seed(_PURPOSE, first + index, number))
        for index, (_, tokens) in enumerate(batch)
        for number in range(task.samples)
    ]
    responses = model.generate(requests, sampled) if requests else []
    questions = [question for question, _ in batch for _ in range(task.samples)]
    if task.greedy:
        greedy = Sampling(0.0, 1.0, task.max_new_tokens, contract.stop_ids)
        responses = [*responses, *model.generate([Request(tokens, 0) for _, tokens in batch], greedy)]
        questions += [question for question, _ in batch]
    judged = _judge(questions, responses, contract)
    return [
        _line(
            task,
            question,
            len(tokens),
            judged[index * task.samples : (index + 1) * task.samples],
            judged[len(requests) + index] if task.greedy else None,
        )
        for index, (question, tokens) in enumerate(batch)
    ]


def _line(
    task: GenerateTask, question: Question, tokens: int, responses: list[dict[str, Any]], greedy: dict[str, Any] | None
) -> dict[str, Any]:
    rate = _mean([response["correct"] for response in responses]) if responses else None
    return {
        "id": question.id,
        "prompt": question.text,
        "prompt_tokens": tokens,
        "answer": question.row["answer"],
        **({"group": dict(question.group)} if question.group else {}),
        "pass_rate": rate,
        "responses": responses,
        "greedy": greedy,
    }


def _judge(
    questions: Sequence[Question], responses: Sequence[Response], contract: PromptContract
) -> list[dict[str, Any]]:
    texts = [contract.decode_response(response.tokens, response.stopped) for response in responses]
    verdicts = verify([(question.row, text) for question, text in zip(questions, texts, strict=True)])
    return [
        {
            "text": text,
            "correct": verdict.correct and response.stopped,
            "formatted": verdict.formatted,
            "stopped": response.stopped,
            "tokens": len(response.tokens),
            "nll": _nll(response),
        }
        for text, verdict, response in zip(texts, verdicts, responses, strict=True)
    ]


def _nll(response: Response) -> float | None:
    """Mean -log p of the tokens, in nats; None where they aren't known."""
    if not response.logprobs or not all(map(math.isfinite, response.logprobs)):
        return None
    return round(-_mean(response.logprobs), 6)


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


def groups_of(task: GenerateTask, lines: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """`metrics_of` of each group, as {"level": {"5": {"prompts": 134, "metrics": {...}}}}, groups in order."""
    members: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for line in lines:
        for name, value in line.get("group", {}).items():
            members.setdefault((name, value), []).append(line)
    found: dict[str, dict[str, Any]] = {}
    for name, value in sorted(members):
        own = members[name, value]
        found.setdefault(name, {})[value] = {"prompts": len(own), "metrics": metrics_of(task, own)}
    return found


def _mean(values: Sequence[float]) -> float:
    return float(sum(values) / len(values))
