"""`checkpoint`: when a stage saves itself, and what is kept."""

from __future__ import annotations

from pydantic import Field

from prism.recipe.schema.base import Section


class CheckpointConfig(Section):
    """When a stage saves itself. The last step is always saved."""

    every_steps: int = Field(500, gt=0, description="Steps from one checkpoint to the next.")
    keep_last: int = Field(2, gt=0, description="Newest checkpoints that are kept; older ones are removed.")
    keep_every: int | None = Field(
        None, gt=0, description="Checkpoints of steps that this divides are kept for good; null keeps none of them."
    )
    asynchronous: bool = Field(
        True,
        description="Write while training goes on, from a copy in host memory as large as a process's part of the "
        "checkpoint; false waits for every write.",
    )
