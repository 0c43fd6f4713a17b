"""How sure a stage is of its responses, right ones and wrong ones (the paper's Table 15)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from prism.report.results import Results, Stage
from prism.report.sections.palette import in_order
from prism.report.shapes import Answer


@dataclass(frozen=True)
class Split:
    """Some responses: how many, their median length in tokens, and the mean of their -log p a token, in nats."""

    responses: int
    median_tokens: float | None
    mean_nll: float | None


@dataclass(frozen=True)
class Confidence:
    """Of a stage's sampled responses to all generation tasks. `pass_rate` is a fraction."""

    stage: str
    pass_rate: float
    overall: Split
    correct: Split
    incorrect: Split


def confidence(results: Results, tasks: Sequence[str] | None = None) -> tuple[Confidence, ...]:
    """A row for every stage whose sampled responses tell their probability, the main chain's first.

    Args:
        tasks: whose responses count; None takes all.
    """
    order = in_order(results.stages, results.main_chain())
    rows = [_of_stage(results.stages[name], tasks) for name in order]
    return tuple(row for row in rows if row is not None)


def _of_stage(stage: Stage, tasks: Sequence[str] | None) -> Confidence | None:
    taken = [rows for task, rows in stage.samples.items() if tasks is None or task in tasks]
    found = [one for rows in taken for sample in rows for one in sample.responses]
    if not any(one.nll is not None for one in found):
        return None
    right, wrong = ([one for one in found if one.correct is wanted] for wanted in (True, False))
    return Confidence(stage.name, len(right) / len(found), _split(found), _split(right), _split(wrong))


def _split(responses: Sequence[Answer]) -> Split:
    lengths = [one.tokens for one in responses if one.tokens is not None]
    values = [one.nll for one in responses if one.nll is not None and math.isfinite(one.nll)]
    return Split(len(responses), median(lengths) if lengths else None, fmean(values) if values else None)
