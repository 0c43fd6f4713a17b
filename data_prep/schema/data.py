"""The recipe's `data` section: sources, tokenizer, blends."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from data_prep.schema.base import Section
from data_prep.schema.decontamination import DecontaminationConfig
from data_prep.schema.source import SourceConfig


class WorldConfig(Section):
    """The miniature's world: a seeded generator of raw source files and verifiable tasks."""

    seed: int = Field(1, ge=0, description="Seed of the facts, rules and documents.")
    modulus: int = Field(5, gt=2, le=10, description="Arithmetic is done modulo this.")
    trace_noise: float = Field(
        0.25,
        ge=0,
        lt=1,
        description="Chance that a step of a reasoning trace in training data is wrong and carried on.",
    )
    tokens: dict[str, int] = Field(default_factory=dict, description="Words to write, about, by source.")
    held_out_share: float = Field(0.2, gt=0, lt=1, description="Share of problems that only evaluation sees.")
    evaluation_prompts: int = Field(300, gt=0, description="Held-out prompts a domain.")
    rl_prompts: dict[str, int] = Field(default_factory=dict, description="Most distinct RL prompts by domain.")
    facts: int = Field(480, gt=0, description="Multiple-choice questions on the facts of the general text.")


class TokenizerConfig(Section):
    """Trained on the sources, or taken from a file."""

    kind: Literal["word_level", "byte_level_bpe", "file"] = Field(
        "file", description="word_level splits on white space; byte_level_bpe is trained; file takes `path`."
    )
    path: str | None = Field(None, description="tokenizer.json of a Hugging Face tokenizer, with kind file.")
    vocab_size: int = Field(4_096, gt=256, description="Tokens of a trained byte_level_bpe.")
    train_on: list[str] = Field(default_factory=list, description="Sources it is trained on; empty means all.")
    end_of_document: str = Field("<eos>", description="Token that ends a document; it also stops a response.")


class DataConfig(Section):
    """Sources, the tokenizer, and blends of the sources."""

    world: WorldConfig | None = Field(None, description="Generates the miniature's raw files; null for real data.")
    root: str = Field("data", description="Folder of fetched data sets, one folder a source.")
    tokenizer: TokenizerConfig = Field(default_factory=TokenizerConfig, description="Which tokenizer.")
    sources: dict[str, SourceConfig] = Field(default_factory=dict, description="Sources by name.")
    blends: dict[str, dict[str, float]] = Field(
        default_factory=dict,
        description="Sampling weight in percent by blend, of a source or of a domain (`domain:math`: its other "
        "sources, in proportion to their tokens); sums to 100 (Figure 2).",
    )
    max_epochs: float | None = Field(
        None, gt=0, description="A blend that repeats a source more often than this is refused; null allows any."
    )
    decontamination: DecontaminationConfig = Field(
        default_factory=DecontaminationConfig, description="Evaluation sets whose questions are kept out."
    )

    @model_validator(mode="before")
    @classmethod
    def _with_paths(cls, values: Any) -> Any:
        """A source without a path lies in a folder of its name."""
        if not isinstance(values, dict) or not isinstance(values.get("sources"), dict):
            return values
        root = values.get("root", cls.model_fields["root"].default)
        sources = {
            name: {**source, "path": f"{root}/{name}"}
            if isinstance(source, dict) and not source.get("path")
            else source
            for name, source in values["sources"].items()
        }
        return {**values, "sources": sources}
