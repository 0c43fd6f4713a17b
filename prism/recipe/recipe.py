"""The whole recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from data_prep.schema import DataConfig
from prism.errors import RecipeError
from prism.recipe.schema.base import Section
from prism.recipe.schema.cluster import ClusterConfig, KernelsConfig
from prism.recipe.schema.model import ModelConfig
from prism.recipe.schema.rl import RlConfig
from prism.recipe.schema.sandbox import SandboxConfig
from prism.recipe.schema.stages import (
    AnalyzeConfig,
    ClaimConfig,
    EvaluateConfig,
    ImportConfig,
    LongContextConfig,
    MergeConfig,
    RunConfig,
    StageNode,
)
from prism.recipe.schema.training import MidtrainConfig
from prism.recipe.versions import RECIPE

TRAINING_KINDS = ("pretrain", "midtrain", "extend")
CHECKPOINT_KINDS = ("import", "pretrain", "midtrain", "merge", "extend", "rl")
"""Kinds of stages that leave a checkpoint."""


class Recipe(Section):
    """Everything a run does, from raw text to report. Composed by `prism.recipe.load_recipe`."""

    schema_version: int = Field(RECIPE.version, description="Version of this schema.")
    run: RunConfig = Field(default_factory=RunConfig, description="Where the run lives.")
    model: ModelConfig = Field(description="The architecture.")
    data: DataConfig = Field(default_factory=DataConfig, description="Sources, tokenizer, blends.")
    midtrain: MidtrainConfig = Field(default_factory=MidtrainConfig, description="Pre-training and mid-training.")
    long_context: LongContextConfig = Field(default_factory=LongContextConfig, description="Merge and extension.")
    rl: RlConfig = Field(default_factory=RlConfig, description="GRPO and the difficulty filter.")
    evaluate: EvaluateConfig = Field(default_factory=EvaluateConfig, description="Tasks for every checkpoint.")
    analyze: AnalyzeConfig = Field(default_factory=AnalyzeConfig, description="Weights and representations.")
    kernels: KernelsConfig = Field(default_factory=KernelsConfig, description="Fused kernels or torch.")
    sandbox: SandboxConfig = Field(default_factory=SandboxConfig, description="What contains model-written code.")
    cluster: ClusterConfig = Field(default_factory=ClusterConfig, description="Devices of a stage.")
    pipeline: dict[str, StageNode] = Field(default_factory=dict, description="The stages, by name.")
    claims: dict[str, ClaimConfig] = Field(default_factory=dict, description="Statements that the summary checks.")

    @property
    def run_directory(self) -> Path:
        return Path(self.run.directory) / self.run.name

    @property
    def data_directory(self) -> Path:
        return self.run_directory / "data"

    def stage_directory(self, stage: str) -> Path:
        return self.run_directory / "stages" / stage

    def resolve(self, path: str) -> Path:
        """A path that the recipe names: `world/...` lies in the run's data folder, others are as written."""
        return self.data_directory / path if path.startswith("world/") else Path(path)

    def training_config(self, stage: str) -> MidtrainConfig:
        """Settings of a pretrain, midtrain or extend stage: its section with the node's `with` applied."""
        node = self.pipeline[stage]
        section = self.midtrain
        if node.stage == "extend" and self.long_context.extend is not None:
            section = self.long_context.extend
        return MidtrainConfig.model_validate(merged(section.model_dump(), node.settings))

    def rl_config(self, stage: str) -> RlConfig:
        """Settings of an rl or difficulty stage: its section with the node's `with` applied."""
        return RlConfig.model_validate(merged(self.rl.model_dump(), self.pipeline[stage].settings))

    def merge_config(self, stage: str) -> MergeConfig:
        """Settings of a merge stage: its section with the node's `with` applied."""
        return MergeConfig.model_validate(merged(self.long_context.merge.model_dump(), self.pipeline[stage].settings))

    def import_config(self, stage: str) -> ImportConfig:
        """Settings of an import stage: the node's `with`."""
        return ImportConfig.model_validate(self.pipeline[stage].settings)

    def vocabulary_rows(self, tokens: int) -> int:
        """Rows of the token tables: the model's own number, else as many as the tokenizer has tokens.

        Raises:
            RecipeError: the tokenizer has more tokens than the model.
        """
        rows = self.model.vocab_size or tokens
        if tokens > rows:
            raise RecipeError(
                f"the tokenizer has {tokens} tokens, the model {rows}",
                place="model.vocab_size",
                remedy="use the model's own tokenizer",
            )
        return rows

    def stage_config(self, stage: str) -> MidtrainConfig | RlConfig | MergeConfig | ImportConfig:
        """Settings of any stage; the typed methods above say which kind they return."""
        kind = self.pipeline[stage].stage
        if kind in ("rl", "difficulty"):
            return self.rl_config(stage)
        if kind == "import":
            return self.import_config(stage)
        return self.merge_config(stage) if kind == "merge" else self.training_config(stage)

    def cluster_config(self, stage: str) -> ClusterConfig:
        """How a stage is spread: the cluster section with the node's `cluster` applied."""
        return ClusterConfig.model_validate(merged(self.cluster.model_dump(), self.pipeline[stage].cluster))

    def checkpoint_stages(self) -> list[str]:
        """Stages that leave a checkpoint, in the recipe's order."""
        return [name for name, node in self.pipeline.items() if node.stage in CHECKPOINT_KINDS]

    def parent_of(self, stage: str) -> str:
        """The stage that `stage` starts from.

        Raises:
            RecipeError: it starts from nothing.
        """
        parent = self.pipeline[stage].parent
        if parent is None:
            raise RecipeError(
                f"stage {stage} starts from no other stage",
                place=f"pipeline.{stage}.from",
                remedy="name the stage whose checkpoint it starts from",
            )
        return parent


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it, key by key; mixes, blends and changes of blend are taken whole."""
    result = dict(base)
    for key, value in changes.items():
        if key == "blends" and isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = {**result[key], **value}
        elif isinstance(value, dict) and isinstance(result.get(key), dict) and key not in _TAKEN_WHOLE:
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


_TAKEN_WHOLE = frozenset({"mix", "blend_changes"})
