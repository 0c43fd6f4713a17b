"""Whether a stage's retention gate can measure what it should, and what its looks cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from data_prep.blend.weights import blend_sources
from data_prep.errors import UsageError
from prism.recipe.findings import Finding, nearest
from prism.recipe.recipe import TRAINING_KINDS, Recipe
from prism.recipe.schema.retention import TextMeasure
from prism.recipe.schema.training import MidtrainConfig

DEAREST_SHARE = 0.03
"""Share of training's work above which looks are said to be dear."""

_OPTIONS = 4
"""Options of a question, where the recipe can't say."""


def retention_findings(recipe: Recipe, stage: str, config: MidtrainConfig) -> Iterator[Finding]:
    """What is wrong with the retention gate of a training stage."""
    gate, path = config.retention, ("pipeline", stage, "with", "retention")
    if gate is None or recipe.pipeline[stage].parent is None:
        return
    if gate.action == "switch" and gate.switch_to is None:
        yield Finding((*path, "switch_to"), "action switch needs a blend to switch to", "name one of data.blends")
    if gate.action != "switch" and gate.switch_to is not None:
        yield Finding((*path, "switch_to"), f"action {gate.action} never switches", "set action to switch, or leave it")
    if gate.switch_to is not None and gate.switch_to not in recipe.data.blends:
        yield Finding(
            (*path, "switch_to"), f"unknown blend {gate.switch_to}", nearest(gate.switch_to, recipe.data.blends)
        )
    for name, measure in gate.planned_measures().items():
        if measure.kind == "text" and measure.given_tokens >= min(measure.document_tokens, config.sequence_length):
            yield Finding(
                (*path, "measures", name, "given_tokens"),
                f"of {min(measure.document_tokens, config.sequence_length)} tokens {measure.given_tokens} are given: "
                "none is left to predict",
                "choose fewer",
            )
        if measure.kind == "text" and measure.path is None:
            with suppress(ValidationError, UsageError):  # of the stage before or its blend, and told there
                yield from _sources(recipe, stage, measure, (*path, "measures", name))


def retention_files(recipe: Recipe, stage: str) -> list[str]:
    """Paths that the stage's measures name."""
    gate = recipe.training_config(stage).retention
    if gate is None or recipe.pipeline[stage].parent is None:
        return []
    return [measure.path for measure in gate.planned_measures().values() if measure.path is not None]


def missing_retention_files(recipe: Recipe, stage: str) -> Iterator[Finding]:
    """Files that the stage's measures name and that the run doesn't make itself."""
    for path in retention_files(recipe, stage):
        if not path.startswith("world/") and not Path(path).is_file():
            yield Finding(
                ("pipeline", stage, "with", "retention", "measures"), f"missing file {path}", "correct the path"
            )


def general_sources(recipe: Recipe, stage: str) -> list[str]:
    """Sources of domain general with a holdout: of the blends that the nearest stage before `stage` was trained on.

    After published weights, of all sources.
    """
    sources = recipe.data.sources
    domains = {name: source.domain for name, source in sources.items()}
    seen: Iterable[str] = sources
    before = _trained_before(recipe, stage)
    if before is not None:
        blends = [recipe.data.blends.get(blend, {}) for blend in recipe.training_config(before).every_blend()]
        seen = dict.fromkeys(name for blend in blends for name in blend_sources(blend, domains))
    return [name for name in seen if domains[name] == "general" and sources[name].holdout > 0]


def _trained_before(recipe: Recipe, stage: str) -> str | None:
    """The nearest stage before `stage` that is trained on a blend."""
    passed = {stage}
    before = recipe.pipeline[stage].parent
    while before in recipe.pipeline and before not in passed:
        if recipe.pipeline[before].stage in TRAINING_KINDS:
            return before
        passed.add(before)
        before = recipe.pipeline[before].parent
    return None


def retention_cost(config: MidtrainConfig) -> float:
    """Most work of a look as a share of the training between two looks; a forward pass is a third of a step's work.

    Real documents are shorter than their limit, so the real cost is lower; the gate says it when it begins.
    """
    assert config.retention is not None
    longest = config.sequence_length
    tokens = 0
    for measure in config.retention.planned_measures().values():
        if measure.kind == "choice":
            tokens += measure.questions * _OPTIONS * min(measure.question_tokens, longest)
        else:
            figures = len(measure.sources) if measure.each == "source" else 1
            tokens += max(1, figures) * measure.documents * min(measure.document_tokens, longest)
    between = config.retention.interval(config.steps) * config.global_batch_size * longest
    return tokens / 3 / between


def _sources(recipe: Recipe, stage: str, measure: TextMeasure, path: tuple[str, ...]) -> Iterator[Finding]:
    if not measure.sources and not general_sources(recipe, stage):
        yield Finding(
            path,
            "no source of domain general that the stage it starts from saw holds documents out",
            "set data.sources.NAME.holdout of one, such as 0.001, or name sources or a path",
        )
    for name in measure.sources:
        if name not in recipe.data.sources:
            yield Finding((*path, "sources"), f"unknown source {name}", nearest(name, recipe.data.sources))
        elif not recipe.data.sources[name].holdout:
            yield Finding(
                (*path, "sources"), f"{name} holds no document out", f"set data.sources.{name}.holdout, such as 0.001"
            )
