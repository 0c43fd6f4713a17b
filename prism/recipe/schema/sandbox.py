"""`sandbox`: what contains model-written code."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from prism.recipe.schema.base import Section


class SandboxConfig(Section):
    """How programs that a model wrote are contained."""

    tier: Literal["auto", "namespaces", "landlock"] = Field(
        "auto", description="namespaces (tier 1), landlock (tier 2), or the best that works here."
    )
    allow_unsandboxed: bool = Field(
        False,
        description="Whether programs may run with limits on time, memory and processes alone where neither tier "
        "works; the report then says so.",
    )
