"""The recipe's `data` section: sources, tokenizer, blends. Pydantic only, so it can be read anywhere."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """Frozen, and a key that isn't defined is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, protected_namespaces=())


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


class SourceConfig(Section):
    """One source of documents and how to read it."""

    path: str = Field(description="File, folder or glob; `world/...` lies in the run's data folder.")
    reader: Literal["jsonl", "parquet", "text"] = Field("jsonl", description="File format; jsonl may be .gz or .zst.")
    format: Literal["text", "question_answer", "chat"] = Field(
        "text",
        description="text as it is; question and answer joined by one line break; turns with speakers (section 3.1).",
    )
    text: str = Field("text", description="Column of the text, with format text.")
    question: str = Field("question", description="Column of the question, with format question_answer.")
    reasoning: str | None = Field(None, description="Column of the reasoning trace, written between <think> tags.")
    answer: str = Field("answer", description="Column of the answer, with format question_answer.")
    reasoning_until: str | None = Field(
        None,
        description="With format question_answer: the answer column holds reasoning, then this mark, then the answer.",
    )
    messages: str = Field("messages", description="Column of the turns (role, content), with format chat.")
    split: Literal["file", "paragraph", "passage"] = Field(
        "file", description="What a document of reader text is; a passage is paragraphs of 2,000 characters or more."
    )
    pattern: str = Field("*", description="Names of the files that are read from a folder.")
    exclude: list[str] = Field(default_factory=list, description="Folders below `path` that are left out.")
    holdout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of documents kept out of training, by hash; written to <source>.heldout.jsonl.",
    )
    end_of_document: bool = Field(True, description="End each document with the end-of-document token.")
    domain: str = Field("general", description="Domain of the source: general, math, code, science, chat ...")
    tokens_billion: float | None = Field(
        None, gt=0, description="Expected tokens (Table 1), for planning without the data."
    )
    hub: str | None = Field(None, description="Hub id of the data set, for the record.")
    licence: str = Field("unknown", description="Licence of the data.")
    description: str = Field("", description="What the source is.")


class DataConfig(Section):
    """Sources, the tokenizer, and blends of the sources."""

    world: WorldConfig | None = Field(None, description="Generates the miniature's raw files; null for real data.")
    tokenizer: TokenizerConfig = Field(default_factory=TokenizerConfig, description="Which tokenizer.")
    sources: dict[str, SourceConfig] = Field(default_factory=dict, description="Sources by name.")
    blends: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="Sampling weight of each source in percent, by blend; sums to 100 (Figure 2)."
    )
    max_epochs: float | None = Field(
        None, gt=0, description="A blend that repeats a source more often than this is refused; null allows any."
    )
