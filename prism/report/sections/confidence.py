"""How sure the stages are of their responses, right ones and wrong ones."""

from __future__ import annotations

from dataclasses import dataclass

from prism.report.results import Results, Stage
from prism.report.sections.palette import in_order
from prism.report.shapes import Answer
from prism.tally.confidence import Confidence, confidence


@dataclass(frozen=True)
class StageConfidence:
    """Of a stage's sampled responses to some tasks."""

    stage: str
    found: Confidence
    tasks: tuple[str, ...]


def stage_confidence(results: Results) -> tuple[StageConfidence, ...]:
    """A row for every stage whose sampled responses tell their probability, over all its generation tasks; the main
    chain's first."""
    order = in_order(results.stages, results.main_chain())
    rows = [of_tasks(results.stages[name], tuple(results.stages[name].samples)) for name in order]
    return tuple(row for row in rows if row is not None)


def of_tasks(stage: Stage, tasks: tuple[str, ...]) -> StageConfidence | None:
    """Over the responses to these tasks; None where none tells its probability."""
    responses: list[Answer] = [one for task in tasks for sample in stage.samples[task] for one in sample.responses]
    found = confidence(responses)
    return None if found is None else StageConfidence(stage.name, found, tasks)
