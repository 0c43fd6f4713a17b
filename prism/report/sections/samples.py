"""Responses of the chain's stages to the same prompts."""

from __future__ import annotations

from dataclasses import dataclass

from prism.report.results import Results
from prism.report.shapes import Answer, Sample

PROMPTS_PER_TASK = 3
_LONGEST = 1_200
_END_OF_REASONING = "</think>"


@dataclass(frozen=True)
class ShownResponse:
    """A stage's first sampled response (the greedy one where none was sampled). `answer` is what follows the trace."""

    stage: str
    reasoning: str
    answer: str
    correct: bool
    tally: str


@dataclass(frozen=True)
class ShownPrompt:
    task: str
    prompt: str
    answer: str
    responses: tuple[ShownResponse, ...]


def samples(results: Results) -> tuple[ShownPrompt, ...]:
    """The first prompts of each task, in the task's order, that every evaluated stage of the chain has answered."""
    chain = [name for name in results.main_chain() if results.stages[name].samples]
    tasks = dict.fromkeys(task for name in chain for task in results.stages[name].samples)
    shown = []
    for task in tasks:
        by_stage = {
            name: {str(sample.id): sample for sample in results.stages[name].samples[task]}
            for name in chain
            if task in results.stages[name].samples
        }
        first, *others = by_stage.values()
        common = [key for key in first if all(key in other for other in others)]
        for key in common[:PROMPTS_PER_TASK]:
            responses = [_shown(name, rows[key]) for name, rows in by_stage.items()]
            kept = tuple(response for response in responses if response is not None)
            shown.append(ShownPrompt(task, _cut(first[key].prompt), _cut(str(first[key].answer)), kept))
    return tuple(shown)


def _shown(stage: str, sample: Sample) -> ShownResponse | None:
    response = sample.responses[0] if sample.responses else sample.greedy
    if response is None:
        return None
    text = _cut(response.text)
    before, mark, after = text.rpartition(_END_OF_REASONING)
    reasoning, answer = (before + mark, after) if mark else (text, "")
    return ShownResponse(stage, reasoning, answer, response.correct, _tally(sample, response))


def _tally(sample: Sample, shown: Answer) -> str:
    parts = []
    if sample.responses:
        right = sum(response.correct for response in sample.responses)
        parts.append(f"{right} of {len(sample.responses)} sampled right")
    if sample.greedy is not None and sample.greedy is not shown:
        parts.append(f"greedy {'right' if sample.greedy.correct else 'wrong'}")
    return ", ".join(parts)


def _cut(text: str) -> str:
    left = len(text) - _LONGEST
    return text if left <= 0 else f"{text[:_LONGEST]} … ({left:,} more characters)"
