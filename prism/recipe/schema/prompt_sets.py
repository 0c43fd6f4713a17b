"""`rl.prompts` and `rl.difficulty`: questions with verifiable answers, and the filter before RL."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from prism.recipe.schema.base import Section


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
