"""Sections of the other stages: `long_context`, `evaluate`, `analyze`, `run`, and the stage graph."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from prism.recipe.schema.base import Section
from prism.recipe.schema.operation import OperationConfig
from prism.recipe.schema.training import ExtendConfig

StageKind = Literal["import", "pretrain", "midtrain", "merge", "extend", "difficulty", "rl"]


class ImportConfig(Section):
    """Published weights as a stage."""

    path: str = Field(description="Hugging Face folder: config.json, safetensors, tokenizer.")
    hub: str | None = Field(None, description="Model on the hub that `prism models fetch` brings to `path`.")
    revision: str = Field("main", description="Its commit, tag or branch; a commit is the same model for ever.")


class MergeConfig(Section):
    """Linear merge that restores long context (section 8.1)."""

    base: str | None = Field(None, description="Stage whose weights are mixed in; null means the parent's parent.")
    base_weight: float = Field(
        0.15, ge=0, le=1, description="Weight of the base; the rest is the parent's (section 8.1)."
    )


class LongContextConfig(Section):
    """Merge, and the training that extends the context afterwards."""

    merge: MergeConfig = Field(default_factory=MergeConfig, description="Settings of merge stages.")
    extend: ExtendConfig | None = Field(None, description="Settings of extend stages; null takes midtrain's.")


class EvaluateConfig(Section):
    """Which tasks measure every checkpoint of the pipeline."""

    tasks: list[str] = Field(
        default_factory=list, description="Tasks of prism/evaluate/tasks by name, or paths of task files."
    )
    data: dict[str, str] = Field(default_factory=dict, description="Data path of a task, in place of the task's own.")
    limit: int | None = Field(None, gt=0, description="Most prompts a task; null takes the task's own number.")
    batch_size: int = Field(256, gt=0, description="Sequences that decode together.")


class CkaConfig(Section):
    """Linear CKA of mean-pooled hidden states (section 10)."""

    inputs: int = Field(200, gt=3, description="Inputs of each set (section 10).")
    resamples: int = Field(20, gt=0, description="Bootstrap resamples of half of the inputs (section 10).")
    sets: dict[str, str] = Field(
        default_factory=dict, description="Input sets: name -> JSON lines with text, or with prompt and answer."
    )


class LandscapeConfig(Section):
    """Pass rate of weights between three stages: W_base + alpha (W_mid - W_base) + beta (W_rl - W_mid) (section 10)."""

    chain: tuple[str, str, str] = Field(description="Stages: a base, what was mid-trained from it, RL from that.")
    task: str = Field(description="What every point is measured by: a task by name or path, as in evaluate.tasks.")
    limit: int | None = Field(
        200, gt=0, description="Most prompts (section 10: 200); null takes the task's own number."
    )
    samples: int | None = Field(None, gt=0, description="Responses a prompt; null takes the task's own number.")
    points: int = Field(5, gt=1, description="Values of alpha and of beta, from 0 to 1 (section 10: 5).")
    plane: bool = Field(True, description="Every alpha with every beta; else the path from base over mid to RL alone.")


class AnalyzeConfig(Section):
    """Weight change and representations between stages."""

    pairs: list[tuple[str, str]] | None = Field(
        None, description="Pairs (before, after); null means every stage against its parent."
    )
    relations: list[tuple[tuple[str, str], tuple[str, str]]] = Field(
        default_factory=list,
        description="Two changes held against each other, [[before, after], [before, after]]: the angle between them, "
        "which elements both change, which parts both move (section 10).",
    )
    thresholds_percent: list[float] = Field(
        default_factory=lambda: [0.1, 0.5, 1.0, 2.0, 5.0, 10.0],
        description="Relative changes below which a weight counts as unchanged (Table 22).",
    )
    cka: CkaConfig = Field(default_factory=CkaConfig, description="Representation similarity.")
    landscape: LandscapeConfig | None = Field(None, description="Pass-rate landscape; null means none.")


class RunConfig(Section):
    """Where a run lives and how its stages are scheduled."""

    name: str = Field("run", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of the run's folder.")
    directory: str = Field("runs", description="Folder of all runs.")
    seed: int = Field(1, ge=0, description="Seed of initialisation, sample order and sampling.")
    workers: int = Field(1, gt=0, description="Processes that run side by side where the graph allows it.")
    threads: int = Field(1, gt=0, description="CPU threads of each process.")
    operation: OperationConfig = Field(
        default_factory=OperationConfig, description="What watches stages while they train."
    )


class StageNode(Section):
    """A node of the pipeline: a stage, where it starts from, and which keys of its section it changes."""

    stage: StageKind = Field(description="What the stage does.")
    parent: str | None = Field(None, alias="from", description="Stage whose checkpoint it starts from.")
    prompts_from: str | None = Field(None, description="Difficulty stage whose prompts an rl stage draws.")
    settings: dict[str, Any] = Field(
        default_factory=dict, alias="with", description="Keys of the stage's section, with other values."
    )
    cluster: dict[str, Any] = Field(
        default_factory=dict, description="Keys of the cluster section, with other values for this stage."
    )
    evaluate: bool = Field(True, description="Whether the stage's checkpoint is evaluated.")


class ClaimConfig(Section):
    """A statement about the run's figures that the summary checks."""

    claim: str = Field(description="The statement in words.")
    value: str = Field(description="Expression over the run's figures, such as pass_rate('rl') - pass_rate('mid').")
    unit: str = Field("", description="Unit of the value.")
    at_least: float | None = Field(None, description="Holds when value >= this.")
    at_most: float | None = Field(None, description="Holds when value <= this.")
    above: float | None = Field(None, description="Holds when value > this.")
    below: float | None = Field(None, description="Holds when value < this.")
    also: str | None = Field(None, description="A further condition that must hold.")
