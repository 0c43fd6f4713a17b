"""`midtrain`, and what it shares with other stages: optimizer, schedule, checkpoints."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from prism.recipe.schema.base import Section


class OptimizerConfig(Section):
    """AdamW. Norms, biases and Mamba's A, dt and D are never decayed."""

    learning_rate: float = Field(5e-5, gt=0, description="Peak learning rate (Table 16).")
    weight_decay: float = Field(0.1, ge=0, description="Decoupled weight decay (Table 16).")
    beta1: float = Field(0.9, ge=0, lt=1, description="Decay of the first moment (Table 16).")
    beta2: float = Field(0.95, ge=0, lt=1, description="Decay of the second moment (Table 16).")
    epsilon: float = Field(1e-10, gt=0, description="Added to the root of the second moment (Table 16).")
    clip_grad: float = Field(1.0, gt=0, description="Largest grad norm; gradients beyond it are scaled down.")


class ScheduleConfig(Section):
    """Learning rate over the steps of a stage."""

    kind: Literal["cosine", "linear", "exponential", "constant"] = Field("cosine", description="Shape of the decay.")
    warmup_steps: int = Field(500, ge=0, description="Steps of linear warm-up (Table 16).")
    final_fraction: float = Field(0.1, ge=0, le=1, description="Last learning rate as a share of the peak (Table 16).")


class CheckpointConfig(Section):
    """When a stage saves itself. The last step is always saved."""

    every_steps: int = Field(500, gt=0, description="Steps from one checkpoint to the next.")
    keep_last: int = Field(2, gt=0, description="Checkpoints that are kept; older ones are removed.")


class MidtrainConfig(Section):
    """Pre-training and mid-training over a blend (Table 16)."""

    blend: str = Field("math_code_science", description="Name of the blend, one of data.blends.")
    sequence_length: int = Field(8_192, gt=0, description="Tokens in a sequence (Table 16).")
    micro_batch_size: int = Field(1, gt=0, description="Sequences a device handles at once (Table 16).")
    global_batch_size: int = Field(128, gt=0, description="Sequences in an optimizer step over all devices (Table 16).")
    steps: int = Field(25_000, gt=0, description="Optimizer steps (Table 16: 26.2B tokens).")
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig, description="AdamW.")
    schedule: ScheduleConfig = Field(default_factory=ScheduleConfig, description="Learning rate over the steps.")
    checkpoint: CheckpointConfig = Field(default_factory=CheckpointConfig, description="When to save.")
    precision: Literal["fp32", "bf16"] = Field("bf16", description="Of weights and activations; gradients are fp32.")
    trainable: Literal["all", "attention"] = Field("all", description="Which weights are trained.")

    @property
    def tokens(self) -> int:
        """Tokens that the stage sees."""
        return self.steps * self.global_batch_size * self.sequence_length
