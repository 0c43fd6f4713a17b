"""Multiple choice by likelihood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prism.evaluate.statistics import mean_interval
from prism.evaluate.task import ChoiceTask
from prism.generate import LanguageModel
from prism.prompts import PromptContract
from prism.score.likelihood import continuation_logprobs


def run_choice(
    task: ChoiceTask, rows: Sequence[Mapping[str, Any]], model: LanguageModel, contract: PromptContract
) -> tuple[dict[str, Any], int]:
    """The most likely option counts as the answer; `accuracy_per_byte` divides by the option's length first.

    Returns:
        Metrics with intervals, and the number of questions too long for the context.
    """
    contexts, continuations, kept = [], [], []
    for row in rows:
        text = str(row[task.context])
        context = contract.encode_prompt(text) if task.as_prompt else contract.encode_text(text)
        # The blank belongs to the option: tokenizers attach it to the word that follows.
        options = [
            contract.encode_text(str(option) if task.as_prompt else f" {option}") for option in row[task.choices]
        ]
        if len(context) + max(map(len, options)) > model.context_length:
            continue
        kept.append(row)
        contexts += [context] * len(options)
        continuations += options
    scores = iter(continuation_logprobs(model, contexts, continuations))
    right, right_per_byte = [], []
    for row in kept:
        texts = [str(option) for option in row[task.choices]]
        values = [next(scores) for _ in texts]
        by_byte = [value / max(1, len(option.encode())) for value, option in zip(values, texts, strict=True)]
        right.append(float(values.index(max(values)) == row[task.answer]))
        right_per_byte.append(float(by_byte.index(max(by_byte)) == row[task.answer]))
    if not kept:
        return {}, len(rows)
    metrics = {
        "accuracy": mean_interval(right).as_json(),
        "accuracy_per_byte": mean_interval(right_per_byte).as_json(),
    }
    return metrics, len(rows) - len(kept)
