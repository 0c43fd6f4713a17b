"""The recipe: schema, composition, validation. Imports without torch, megatron-core and datatrove."""

from data_prep.schema import DataConfig
from prism.recipe.load import RecipeErrors, load_recipe
from prism.recipe.recipe import CHECKPOINT_KINDS, TRAINING_KINDS, Recipe
from prism.recipe.schema.checkpoint import CheckpointConfig
from prism.recipe.schema.cluster import ClusterConfig, KernelsConfig
from prism.recipe.schema.model import InitialisationConfig, MambaConfig, ModelConfig, RopeScalingConfig
from prism.recipe.schema.optimizer import OptimizerConfig, ScheduleConfig
from prism.recipe.schema.prompt_sets import DifficultyConfig, PromptSetConfig
from prism.recipe.schema.retention import RetentionConfig
from prism.recipe.schema.rewards import RewardsConfig
from prism.recipe.schema.rl import RlConfig
from prism.recipe.schema.sandbox import SandboxConfig
from prism.recipe.schema.stages import (
    AnalyzeConfig,
    ClaimConfig,
    EvaluateConfig,
    MergeConfig,
    StageNode,
)
from prism.recipe.schema.training import MidtrainConfig

__all__ = [
    "CHECKPOINT_KINDS",
    "TRAINING_KINDS",
    "AnalyzeConfig",
    "CheckpointConfig",
    "ClaimConfig",
    "ClusterConfig",
    "DataConfig",
    "DifficultyConfig",
    "EvaluateConfig",
    "InitialisationConfig",
    "KernelsConfig",
    "MambaConfig",
    "MergeConfig",
    "MidtrainConfig",
    "ModelConfig",
    "OptimizerConfig",
    "PromptSetConfig",
    "Recipe",
    "RecipeErrors",
    "RetentionConfig",
    "RewardsConfig",
    "RlConfig",
    "RopeScalingConfig",
    "SandboxConfig",
    "ScheduleConfig",
    "StageNode",
    "load_recipe",
]
