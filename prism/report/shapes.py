"""What the files of a run directory hold, as far as the report shows it. Keys that aren't named here are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True)
class RunSection:
    name: str = "run"
    seed: int = 1


@dataclass(frozen=True)
class Source:
    domain: str = "general"
    description: str = ""


@dataclass(frozen=True)
class DataSection:
    """`world` is null for a run on real data."""

    world: Mapping[str, Any] | None = None
    sources: Mapping[str, Source] = Field(default_factory=dict)


@dataclass(frozen=True)
class EvaluateSection:
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Node:
    """A stage of the pipeline, before it ran."""

    stage: str
    parent: str | None = Field(None, alias="from")
    prompts_from: str | None = None
    settings: Mapping[str, Any] = Field(default_factory=dict, alias="with")
    evaluate: bool = True


@dataclass(frozen=True)
class Claim:
    """A statement about the run's figures; at most one of the four bounds is set."""

    claim: str
    value: str
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    also: str | None = None


@dataclass(frozen=True)
class RecipeFile:
    """recipe.yaml, resolved."""

    run: RunSection = Field(default_factory=RunSection)
    model: Mapping[str, Any] = Field(default_factory=dict)
    data: DataSection = Field(default_factory=DataSection)
    midtrain: Mapping[str, Any] = Field(default_factory=dict)
    long_context: Mapping[str, Any] = Field(default_factory=dict)
    rl: Mapping[str, Any] = Field(default_factory=dict)
    evaluate: EvaluateSection = Field(default_factory=EvaluateSection)
    pipeline: Mapping[str, Node] = Field(default_factory=dict)
    claims: Mapping[str, Claim] = Field(default_factory=dict)


@dataclass(frozen=True)
class NodeTime:
    """An entry of manifest.json's nodes. `seconds` is None while it hasn't finished."""

    kind: str
    seconds: float | None = None
    finished: str | None = None
    code_version: str | None = None
    events: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class ManifestFile:
    nodes: Mapping[str, NodeTime] = Field(default_factory=dict)


@dataclass(frozen=True)
class BlendSource:
    """`tokens` is what the source holds."""

    name: str
    weight_percent: float
    tokens: int
    domain: str = "general"


@dataclass(frozen=True)
class BlendLock:
    blend: str
    budget_tokens: int
    sources: tuple[BlendSource, ...]


@dataclass(frozen=True)
class TrainingTiming:
    """`data_wait` and `mfu` are fractions."""

    tokens_per_second: float | None = None
    mfu: float | None = None
    data_wait: float | None = None


@dataclass(frozen=True)
class HeldOutLoss:
    """Nats a token on documents that are kept out of training."""

    loss: float
    loss_by_source: Mapping[str, float] = Field(default_factory=dict)


@dataclass(frozen=True)
class GateLook:
    """What the retention gate saw of one measure. `low` and `high` are None while the test can't say."""

    degradation: float
    limit: float
    figure: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class TrainingStep:
    """A line of a training stage's metrics.jsonl. Losses in nats a token."""

    step: int
    tokens: int
    loss: float
    loss_by_source: Mapping[str, float] = Field(default_factory=dict)
    grad_norm: float | None = None
    learning_rate: float | None = None
    skipped: bool = False
    notes: tuple[str, ...] = ()
    validation: HeldOutLoss | None = None
    retention: Mapping[str, GateLook] = Field(default_factory=dict)
    timing: TrainingTiming = Field(default_factory=TrainingTiming)


@dataclass(frozen=True)
class RlStep:
    """A line of an RL stage's metrics.jsonl. Rates are fractions."""

    step: int
    reward: float
    pass_rate: float
    response_length: float
    pass_rate_by_domain: Mapping[str, float] = Field(default_factory=dict)
    format_rate: float | None = None
    stop_rate: float | None = None
    kl: float | None = None
    grad_norm: float | None = None
    learning_rate: float | None = None
    live_groups: float | None = None
    mismatch: float | None = None
    entropy: float | None = None
    clip_share: float | None = None
    truncated_share: float | None = None
    truncation_rate: float | None = None
    reward_by_term: Mapping[str, float] = Field(default_factory=dict)
    pass_rate_by_difficulty: Mapping[str, float] = Field(default_factory=dict)
    hard_prompts: Mapping[str, Mapping[str, tuple[int, int]]] = Field(default_factory=dict)
    solve_rates: Mapping[str, float] = Field(default_factory=dict)


@dataclass(frozen=True)
class GradedPrompt:
    """A line of a difficulty stage's difficulty.jsonl: so many of its sampled responses were right."""

    domain: str
    correct: int
    samples: int


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Subtask:
    """A task that a harness task is made of."""

    metrics: Mapping[str, Estimate] = Field(default_factory=dict)


@dataclass(frozen=True)
class TaskResult:
    """evaluate/<task>.json. `metrics` is empty where every prompt was longer than the context.

    tasks: of a harness task, what it is made of.
    left_out: rows of the data that aren't asked, by reason.
    """

    task: str
    kind: Literal["generate", "choice", "bits_per_byte", "ruler", "harness"]
    domain: str
    prompts: int
    metrics: Mapping[str, Estimate]
    version: int | str = 1
    skipped_too_long: int = 0
    left_out: Mapping[str, int] = Field(default_factory=dict)
    description: str = ""
    settings: Mapping[str, Any] = Field(default_factory=dict)
    tasks: Mapping[str, Subtask] = Field(default_factory=dict)

    def main_metric(self) -> str | None:
        """The one to show where one is shown: pass@1 as the mean over samples before greedy, a harness task's first."""
        if self.kind == "harness":
            return next(iter(self.metrics), None)
        known = ("pass_rate", "accuracy", "score", "pass_rate_greedy", "bits_per_byte")
        return next((name for name in known if name in self.metrics), None)


@dataclass(frozen=True)
class Answer:
    """A response and what its verifier said. nll: mean -log p of its tokens at temperature 1, in nats."""

    text: str
    correct: bool
    tokens: int | None = None
    nll: float | None = None


@dataclass(frozen=True)
class Sample:
    """A line of evaluate/<task>.samples.jsonl."""

    id: str | int
    prompt: str
    answer: Any
    responses: tuple[Answer, ...] = ()
    greedy: Answer | None = None
