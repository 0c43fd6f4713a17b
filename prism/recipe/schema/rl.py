"""`rl`: GRPO on verifiable rewards, and the difficulty filter before it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from prism.recipe.schema.aligner import AlignerConfig
from prism.recipe.schema.base import Section
from prism.recipe.schema.checkpoint import CheckpointConfig
from prism.recipe.schema.generator import GeneratorConfig, PlacementConfig
from prism.recipe.schema.optimizer import OptimizerConfig, ScheduleConfig
from prism.recipe.schema.prompt_sets import DifficultyConfig, PromptSetConfig
from prism.recipe.schema.rewards import RewardsConfig
from prism.recipe.schema.trajectory import TrajectoryConfig


class RlConfig(Section):
    """GRPO (Tables 10 and 21)."""

    engine: Literal["prism", "aligner"] = Field(
        "prism", description="prism: this package's GRPO. aligner: a NeMo-Aligner job (REINFORCE; see docs)."
    )
    aligner: AlignerConfig = Field(default_factory=AlignerConfig, description="The NeMo-Aligner job.")
    prompts: dict[str, PromptSetConfig] = Field(default_factory=dict, description="Prompt set of each domain.")
    mix: dict[str, float] = Field(default_factory=dict, description="Percent of the prompts by domain; sums to 100.")
    difficulty: DifficultyConfig = Field(default_factory=DifficultyConfig, description="Filter of difficulty stages.")
    steps: int = Field(1_000, gt=0, description="Steps: a batch of responses each (Table 21).")
    prompts_per_step: int = Field(64, gt=0, description="Prompts in a step (Table 21).")
    responses_per_prompt: int = Field(16, gt=1, description="Responses in a group, G (Table 21).")
    max_response_tokens: int = Field(16_384, gt=0, description="Longest response, in tokens (Table 21).")
    temperature: float = Field(1.0, gt=0, description="Of the rollouts (section 9).")
    top_p: float = Field(1.0, gt=0, le=1, description="Of the rollouts (section 9).")
    generator: GeneratorConfig = Field(default_factory=GeneratorConfig, description="Who samples the responses.")
    placement: PlacementConfig = Field(default_factory=PlacementConfig, description="Where everything lies.")
    rewards: RewardsConfig = Field(default_factory=RewardsConfig, description="What a response is worth.")

    updates_per_step: int = Field(
        1,
        gt=0,
        description="Optimizer updates a step, each on its share of the groups. 1 is on-policy: the batch that is "
        "trained on is the batch that was sampled (section 9).",
    )
    micro_batch_size: int = Field(16, gt=0, description="Responses a device trains on at once, where none are packed.")
    packing_tokens: int | None = Field(
        None,
        gt=0,
        description="Prompts with their responses are packed into rows of so many tokens, a row a micro batch (Table "
        "21: 16,384); null pads micro_batch_size responses instead.",
    )
    refill_rounds: int = Field(
        0,
        ge=0,
        description="How many more times a step draws prompts in place of groups whose rewards are all equal, which "
        "teach nothing. 0: they are left out and counted.",
    )
    advantage_epsilon: float = Field(1e-4, gt=0, description="Added to a group's standard deviation, eta.")
    clip_low: float = Field(0.2, gt=0, lt=1, description="Lower clip of the probability ratio.")
    clip_high: float = Field(0.28, gt=0, description="Upper clip of the probability ratio.")
    importance_cap: float | None = Field(
        2.0, ge=1, description="C, cap of truncated importance sampling (section 9); null means no correction."
    )
    token_normalisation: Literal["batch", "group", "response"] = Field(
        "batch",
        description="What a token's weight is one over: the tokens of all responses of the update over all devices; "
        "those of its group, then the mean over groups; or those of its response, then the mean over responses (the "
        "first GRPO, which favours short right answers and long wrong ones).",
    )
    kl_coefficient: float = Field(0.05, ge=0, description="beta, weight of the KL to the reference (Table 21).")
    kl_estimator: Literal["k1", "k2", "k3"] = Field(
        "k3", description="Estimate of the KL a token: d, d^2/2 or exp(-d) - 1 + d with d = log pi - log pi_ref."
    )
    reference_update: float = Field(
        0.05, ge=0, le=1, description="alpha: share of the policy that moves into the reference a step; 0 keeps it."
    )
    precision: Literal["fp32", "bf16"] = Field("bf16", description="Of weights and activations; gradients are fp32.")
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
    trajectory: TrajectoryConfig = Field(default_factory=TrajectoryConfig, description="Weights kept for analysis.")
    deadline_minutes: float | None = Field(
        120.0,
        gt=0,
        description="A step that takes longer ends the stage, which says what part it was in; null means none.",
    )
    samples_every: int = Field(1, gt=0, description="Steps from one that keeps some responses to read to the next.")
    samples_kept: int = Field(4, ge=0, description="Responses that such a step keeps.")
