"""`retention`: the gate that watches base skill while a stage trains."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from prism.recipe.schema.base import Section


class RetentionConfig(Section):
    """Measures base skill, compares it with the starting model's, and acts when it is lost."""

    every_steps: int = Field(500, gt=0, description="Steps from one look to the next.")
    action: Literal["warn", "stop", "switch"] = Field("stop", description="What a loss beyond the tolerance leads to.")
