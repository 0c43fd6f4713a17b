"""Prompt sets of RL: which sources make one up, and how many prompts of each."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from data_prep.schema.base import Section
from data_prep.schema.source import SourceConfig


class PromptSources(Section):
    """Sources of verifiable prompts; of equal prompts the first is kept, in the order of the sources."""

    sources: dict[str, SourceConfig] = Field(
        default_factory=dict,
        description="Sources by name: a list of packaged cards, or keys as in data.sources; a source that names no "
        "card and no `prompts` takes the card of its name.",
    )
    draw: dict[str, int] = Field(
        default_factory=dict,
        description="Prompts drawn at random of a source, after all else; sources left out are taken whole.",
    )

    @field_validator("sources", mode="before")
    @classmethod
    def _by_card(cls, values: Any) -> Any:
        if isinstance(values, list | tuple):
            values = dict.fromkeys(values)
        if not isinstance(values, dict):
            return values
        return {name: _with_card(name, source) for name, source in values.items()}

    @model_validator(mode="after")
    def _sources_fit(self) -> PromptSources:
        for name, source in self.sources.items():
            if source.prompts is None:
                raise ValueError(f"{name} doesn't say how its answers are verified: give it prompts: {{kind: ...}}")
            if source.parts or source.sample is not None or source.join is not None:
                raise ValueError(f"{name}: prompts take no parts, sample or join; use draw for a sample")
        for name, count in self.draw.items():
            if name not in self.sources:
                raise ValueError(f"draw names {name}, which is no source here")
            if count < 1:
                raise ValueError(f"draw of {name}: {count} prompts; give at least 1")
        return self


class PromptSet(PromptSources):
    """Prompts of one domain; repeated ones are dropped, evaluation questions kept out."""

    seed: int = Field(1, ge=0, description="Seed of the draw.")

    @classmethod
    def below(cls, root: str, config: PromptSources, seed: int) -> PromptSet:
        """The set of `config`, with each source that has no path in a folder of its name below `root`."""
        sources = {
            name: source if source.path else source.model_copy(update={"path": f"{root}/{name}"})
            for name, source in config.sources.items()
        }
        return cls(sources=sources, draw=config.draw, seed=seed)


def _with_card(name: str, source: Any) -> Any:
    if source is None:
        return {"card": name}
    if isinstance(source, dict) and not source.get("card") and not source.get("prompts"):
        return {"card": name, **{key: value for key, value in source.items() if key not in ("card", "prompts")}}
    return source
