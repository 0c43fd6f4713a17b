"""Bits per byte of held-out documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from data_prep.formats import render_question_answer, split_worked_answer
from prism.evaluate.statistics import ratio_interval
from prism.evaluate.task import BitsTask
from prism.generate import LanguageModel
from prism.prompts import PromptContract
from prism.score.likelihood import document_bits


def run_bits(
    task: BitsTask, rows: Sequence[Mapping[str, Any]], model: LanguageModel, contract: PromptContract
) -> dict[str, Any]:
    """Total -log2 p of the documents over their UTF-8 bytes. Long documents are read in windows; none is left out."""
    texts = [_text(task, row) for row in rows]
    documents = [contract.encode_text(text) for text in texts]
    costs = document_bits(model, documents, contract.end_of_document_id)
    interval = ratio_interval([cost.bits for cost in costs], [float(len(text.encode())) for text in texts])
    return {"bits_per_byte": interval.as_json()}


def _text(task: BitsTask, row: Mapping[str, Any]) -> str:
    if task.question is None:
        return str(row[task.text])
    answer, reasoning = str(row[task.answer]), None
    if task.reasoning_until:
        reasoning, answer = split_worked_answer(answer, task.reasoning_until)
    return render_question_answer(str(row[task.question]), answer, reasoning)
