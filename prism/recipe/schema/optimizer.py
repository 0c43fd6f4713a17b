"""`optimizer` and `schedule` of a training stage."""

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
