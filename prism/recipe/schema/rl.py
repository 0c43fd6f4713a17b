"""`rl`: GRPO on verifiable rewards, and the difficulty filter before it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from prism.recipe.schema.base import Section
from prism.recipe.schema.checkpoint import CheckpointConfig
from prism.recipe.schema.optimizer import OptimizerConfig, ScheduleConfig


class PromptSetConfig(Section):
    """Questions with verifiable answers, as JSON lines."""

    path: str = Field(description="File of JSON lines; `world/...` lies in the run's data folder.")
    prompt: str = Field("prompt", description="Column of the question.")
    answer: str = Field("answer", description="Column of the right answer.")
    verifier: dict[str, Any] | None = Field(
        None, description="Verifier of every row, such as {kind: math}; null takes each row's own."
    )


class DifficultyConfig(Section):
    """Keeps prompts that the starting model solves neither too rarely nor too often (section 9)."""

    samples: int = Field(16, gt=1, description="Responses sampled a prompt.")
    prompts_per_domain: dict[str, int] = Field(
        default_factory=dict, description="Prompts measured a domain; a domain left out is measured whole."
    )
    min_correct: int = Field(1, ge=0, description="Fewest right responses of a prompt that is kept.")
    max_correct: int = Field(15, ge=0, description="Most right responses of a prompt that is kept.")


class RlConfig(Section):
    """GRPO (Tables 10 and 21)."""

    prompts: dict[str, PromptSetConfig] = Field(default_factory=dict, description="Prompt set of each domain.")
    mix: dict[str, float] = Field(default_factory=dict, description="Percent of the prompts by domain; sums to 100.")
    difficulty: DifficultyConfig = Field(default_factory=DifficultyConfig, description="Filter of difficulty stages.")
    steps: int = Field(1_000, gt=0, description="Optimizer steps (Table 21).")
    prompts_per_step: int = Field(64, gt=0, description="Prompts in a step (Table 21).")
    responses_per_prompt: int = Field(16, gt=1, description="Responses in a group, G (Table 21).")
    micro_batch_size: int = Field(16, gt=0, description="Responses a device trains on at once.")
    max_response_tokens: int = Field(16_384, gt=0, description="Longest response, in tokens (Table 21).")
    temperature: float = Field(1.0, gt=0, description="Of the rollouts (section 9).")
    top_p: float = Field(1.0, gt=0, le=1, description="Of the rollouts (section 9).")
    advantage_epsilon: float = Field(1e-4, gt=0, description="Added to a group's standard deviation, eta.")
    clip_low: float = Field(0.2, gt=0, lt=1, description="Lower clip of the probability ratio.")
    clip_high: float = Field(0.28, gt=0, description="Upper clip of the probability ratio.")
    importance_cap: float = Field(2.0, ge=1, description="C, cap of truncated importance sampling (section 9).")
    kl_coefficient: float = Field(0.05, ge=0, description="beta, weight of the KL to the reference (Table 21).")
    reference_update: float = Field(
        0.05, ge=0, le=1, description="alpha: share of the policy that moves into the reference a step."
    )
    stop_penalty: float = Field(0.1, ge=0, description="Taken from the reward of a response without stop token.")
    repetition_penalty: float = Field(0.1, ge=0, description="Taken from the reward of a response that repeats itself.")
    optimizer: OptimizerConfig = Field(
        default_factory=lambda: OptimizerConfig(learning_rate=5e-7), description="AdamW (Table 21)."
    )
    schedule: ScheduleConfig = Field(
        default_factory=lambda: ScheduleConfig(kind="linear", warmup_steps=0, final_fraction=0.0),
        description="Learning rate over the steps (Table 21).",
    )
    checkpoint: CheckpointConfig = Field(
        default_factory=lambda: CheckpointConfig(every_steps=20), description="When to save."
    )
