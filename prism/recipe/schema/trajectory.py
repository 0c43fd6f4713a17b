"""`rl.trajectory`: weights kept along the way, for the analysis of section 8."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from prism.recipe.schema.base import Section


class TrajectoryConfig(Section):
    """Weights in bf16 after some steps, stored as what differs from the stage's start (section 10)."""

    steps: list[PositiveInt] = Field(default_factory=list, description="Steps after which weights are kept.")
    every_steps: int | None = Field(None, gt=0, description="Also after every so many steps; null means none.")
