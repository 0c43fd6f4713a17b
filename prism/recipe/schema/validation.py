"""`validation`: held-out loss of each source on a schedule."""

from __future__ import annotations

from pydantic import Field

from prism.recipe.schema.base import Section


class ValidationConfig(Section):
    """Loss on documents that a source's `holdout` keeps out of training."""

    every_steps: int | None = Field(
        None, gt=0, description="Steps from one validation to the next, and after the last step; null means none."
    )
    tokens: int = Field(65_536, gt=0, description="Most held-out tokens that are read of each source.")
