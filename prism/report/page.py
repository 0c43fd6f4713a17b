"""Renders the page: results and claims through the template, style and script put inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from data_prep.files import write_text
from prism.report.charts.figure import Figure
from prism.report.claims import ClaimResult, evaluate_claims
from prism.report.environment import render_page
from prism.report.results import Results, load_results
from prism.report.sections.answers import Answer, answers
from prism.report.sections.artifacts import ShownArtifact, artifacts
from prism.report.sections.benchmarks import BesidePaper, Harness, beside_paper, harness
from prism.report.sections.blends import BlendView, blends
from prism.report.sections.chain import chain
from prism.report.sections.confidence import StageConfidence, stage_confidence
from prism.report.sections.evaluation import Evaluation, evaluation
from prism.report.sections.gate import gate
from prism.report.sections.landscape import landscape
from prism.report.sections.likelihood import LikelihoodTask, other_likelihood, retention
from prism.report.sections.long_context import LongContext, long_context
from prism.report.sections.overview import Overview, overview
from prism.report.sections.reinforcement import reinforcement
from prism.report.sections.relations import Relations, relations
from prism.report.sections.representations import least, representations
from prism.report.sections.samples import PROMPTS_PER_TASK, ShownPrompt, samples
from prism.report.sections.series import weight_series
from prism.report.sections.sources import from_files, metrics
from prism.report.sections.timing import timing
from prism.report.sections.training import training
from prism.report.sections.weights import Weights, weights
from prism.report.summary import write_summary

PAPER = "https://arxiv.org/abs/2603.17074"
FILE_NAME = "report.html"


@dataclass(frozen=True)
class Page:
    """Everything that the template reads."""

    overview: Overview
    answers: tuple[Answer, ...]
    claims: Sequence[ClaimResult]
    chain: Markup
    blends: tuple[BlendView, ...]
    training: tuple[Figure, ...]
    evaluation: Evaluation
    harness: Harness | None
    beside_paper: BesidePaper | None
    retention: tuple[LikelihoodTask, ...]
    other_likelihood: tuple[LikelihoodTask, ...]
    gate: tuple[Figure, ...]
    long_context: LongContext | None
    reinforcement: tuple[Figure, ...]
    confidence: tuple[StageConfidence, ...]
    samples: tuple[ShownPrompt, ...]
    prompts_per_task: int
    weights: Weights
    relations: Relations | None
    weight_series: tuple[Figure, ...]
    representations: tuple[Figure, ...]
    least_cka: tuple[tuple[str, float], ...]
    landscape: tuple[Figure, ...]
    timing: Figure | None
    artifacts: tuple[ShownArtifact, ...]
    recipe_text: str
    paper: str = PAPER


def write_report(run_directory: Path) -> Path:
    """Writes report.html and summary.json into the run directory; returns the page's path.

    Raises:
        BadInput: recipe.yaml is missing, or a file of the run is damaged.
        RecipeError: a claim can't be read.
    """
    results = load_results(run_directory)
    claims = evaluate_claims(results)
    write_summary(results, results.seconds(), claims)
    path = run_directory / FILE_NAME
    write_text(path, render(results, claims))
    return path


def render(results: Results, claims: Sequence[ClaimResult]) -> str:
    """The whole page as text, with nothing outside of it."""
    page = Page(
        overview=overview(results, claims),
        answers=answers(results, claims),
        claims=claims,
        chain=chain(results),
        blends=blends(results),
        training=training(results),
        evaluation=evaluation(results),
        harness=harness(results),
        beside_paper=beside_paper(results),
        retention=retention(results),
        other_likelihood=other_likelihood(results),
        gate=gate(results),
        long_context=long_context(results),
        reinforcement=from_files(results, _files_of_rl(results), reinforcement(results)),
        confidence=stage_confidence(results),
        samples=samples(results),
        prompts_per_task=PROMPTS_PER_TASK,
        weights=weights(results),
        relations=relations(results),
        weight_series=weight_series(results),
        representations=from_files(results, ["analysis/cka/*.json"], representations(results)),
        least_cka=least(results),
        landscape=from_files(results, ["analysis/landscape.json"], landscape(results)),
        timing=next(iter(from_files(results, ["manifest.json"], [timing(results)])), None),
        artifacts=artifacts(results),
        recipe_text=results.recipe_text,
    )
    return render_page("page.html.j2", page)


def _files_of_rl(results: Results) -> list[str]:
    stages = [name for name, stage in results.stages.items() if stage.rl]
    graded = [name for name, stage in results.stages.items() if stage.graded]
    return [*metrics(stages), *(f"stages/{name}/*.jsonl" for name in graded)]
