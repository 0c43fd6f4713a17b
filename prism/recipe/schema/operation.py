"""`run.operation`: what watches a stage while it trains. None of it changes a result."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from prism.recipe.schema.base import Section


class ProfileConfig(Section):
    """Steps that torch's profiler records."""

    first_step: int = Field(10, gt=0, description="First recorded step; on resume after it, the next step.")
    steps: int = Field(3, gt=0, description="Recorded steps, one after the other.")
    ranks: list[int] = Field(default_factory=lambda: [0], description="Ranks that record.")


class OperationConfig(Section):
    """What watches pretrain, midtrain and extend stages while they train."""

    spike_window: int = Field(128, ge=16, description="Latest steps whose losses a step's loss is compared with.")
    spike_deviations: float = Field(
        8.0, gt=0, description="A loss so many robust standard deviations (1.4826 x MAD) above their median is a spike."
    )
    max_invalid_steps: int = Field(
        5, gt=0, description="Steps in a row, skipped because of gradients that aren't finite, after which it stops."
    )
    straggler_every_steps: int | None = Field(
        100, gt=0, description="Steps from one comparison of the ranks' speed to the next; null means none."
    )
    straggler_factor: float = Field(
        1.5, gt=1, description="A rank that takes so many times as long as the median, twice in a row, is noted."
    )
    hang_minutes: float | None = Field(
        15.0,
        gt=0,
        description="Minutes without a step after which the stage reports who hangs and ends; null means never.",
    )
    trackers: list[Literal["wandb", "mlflow"]] = Field(
        default_factory=list,
        description="Where metrics go besides metrics.jsonl and TensorBoard. Need the extra `tracking`; local unless "
        "WANDB_MODE or MLFLOW_TRACKING_URI says otherwise.",
    )
    profile: ProfileConfig | None = Field(None, description="Records a few steps by torch's profiler; null means none.")
