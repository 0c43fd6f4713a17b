"""`rl.prompts` and `rl.difficulty`: questions with verifiable answers, and the filter before RL."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from data_prep.schema import PromptSources
from prism.recipe.schema.base import Section


class PromptSetConfig(PromptSources):
    """Questions with verifiable answers: JSON lines in `path`, or prepared from `sources`."""

    path: str | None = Field(
        None, description="File of JSON lines; `world/...` lies in the run's data folder. null where there are sources."
    )
    prompt: str = Field("prompt", description="Column of the question.")
    answer: str = Field("answer", description="Column of the right answer.")
    verifier: dict[str, Any] | None = Field(
        None, description="Verifier of every row, such as {kind: math}; null takes each row's own."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> PromptSetConfig:
        if (self.path is None) == (not self.sources):
            raise ValueError("give either path or sources")
        if self.sources and self.verifier is not None:
            raise ValueError("prompts from sources have verifiers of their own: leave verifier out")
        return self


class PassRange(Section):
    """Which prompts of a domain are kept, and how many. A bound left out is that of rl.difficulty."""

    min_correct: int | None = Field(None, ge=0, description="Fewest right responses of a prompt that is kept.")
    max_correct: int | None = Field(None, ge=0, description="Most right responses of a prompt that is kept.")
    keep: int | None = Field(
        None, gt=0, description="Prompts kept, drawn at random where more are within the bounds; null keeps all."
    )
    fill_with_unsolved: bool = Field(
        False, description="Fill up to `keep` with a random draw of prompts with no right response (section 9)."
    )
    templates: bool = Field(
        False,
        description="Give each multiple-choice prompt an instruction on its answer, drawn at random (section 9).",
    )


class DifficultyConfig(Section):
    """Keeps prompts that the starting model solves neither too rarely nor too often (section 9)."""

    samples: int = Field(16, gt=1, description="Responses sampled a prompt.")
    prompts_per_domain: dict[str, int] = Field(
        default_factory=dict, description="Prompts measured a domain; a domain left out is measured whole."
    )
    min_correct: int = Field(1, ge=0, description="Fewest right responses of a prompt that is kept.")
    max_correct: int = Field(15, ge=0, description="Most right responses of a prompt that is kept.")
    domains: dict[str, PassRange] = Field(
        default_factory=dict,
        description="What a domain does otherwise, by name; the paper's mixes in stages/rl_*.yaml.",
    )

    def bounds(self, domain: str) -> tuple[int, int]:
        """(fewest, most) right responses of a prompt that is kept."""
        own = self.domains.get(domain, PassRange())
        least = self.min_correct if own.min_correct is None else own.min_correct
        return least, self.max_correct if own.max_correct is None else own.max_correct
