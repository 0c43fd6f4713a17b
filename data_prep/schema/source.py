"""`data.sources.<name>`: one source of documents, from its files to its text."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from data_prep.schema.base import Section
from data_prep.sources.card_files import card_values

Scalar = str | int | float | bool


class Rule(Section):
    """A condition on a row; rows that don't meet it are dropped and counted.

    A number is compared as a number, also with text that holds one ("-1.0" is -1). A row without the column is an
    error.
    """

    column: str | tuple[str, ...] = Field(
        description="Path of a column, such as messages.0.content; of several, the first that the row has. "
        "@path is the file's path below the source's folder, @part the part's name."
    )
    equals: Scalar | None = Field(None, description="Keeps rows with this value.")
    not_equals: Scalar | None = Field(None, description="Drops rows with this value.")
    one_of: tuple[Scalar, ...] | None = Field(None, description="Keeps rows with one of these values.")
    none_of: tuple[Scalar, ...] | None = Field(None, description="Drops rows with one of these values.")
    at_least: float | None = Field(None, description="Keeps rows with this value or a larger one.")
    at_most: float | None = Field(None, description="Keeps rows with this value or a smaller one.")
    contains: str | None = Field(None, description="Keeps rows whose text contains this.")
    matches: str | None = Field(None, description="Keeps rows whose text fits this pattern with * and ?.")

    @model_validator(mode="after")
    def _has_a_condition(self) -> Rule:
        if not self.model_fields_set - {"column"}:
            raise ValueError("a rule without a condition: add equals, one_of, at_least ...")
        return self


class SampleConfig(Section):
    """A random draw of rows without replacement, after the filters; the same rows for the same seed."""

    by: str = Field("@path", description="Column whose value says which group a row belongs to.")
    counts: dict[str, int] = Field(
        description="Rows to draw of each group, by pattern with * and ?; rows of no group are dropped."
    )
    seed: int = Field(1, ge=0, description="Seed of the draw.")
    key: str | None = Field(None, description="Column that identifies a row; null takes file and row number.")


class JoinConfig(Section):
    """Text that the set itself doesn't publish, looked up in other data."""

    kind: Literal["question_lookup", "software_heritage", "refine_code"] = Field(
        description="question_lookup: questions by (dataset, split, index). software_heritage: file contents by "
        "blob_id. refine_code: blob ids by repository and path, then contents."
    )
    path: str | None = Field(None, description="Folder of what is looked up; null means the source's `lookup`.")


class PromptsConfig(Section):
    """How a row becomes an RL prompt: the question as it is, and how an answer to it is verified."""

    kind: Literal["math", "choice", "code"] = Field(
        description="math: `answer` is an expression, or a list of accepted ones. choice: the question holds lettered "
        "options, `answer` names the right one. code: `answer` holds tests, as text of JSON or Python."
    )
    answer: str | None = Field(None, description="Column of the answer or tests, where it isn't the source's `answer`.")
    starter_code: str | None = Field(None, description="Column of code that a program begins with, put to the prompt.")
    entry_point: str | None = Field(None, description="Column of the name of the function that tests call.")
    most_tests: int = Field(16, gt=0, description="Tests kept of a prompt: those with the longest inputs.")
    most_bytes: int = Field(
        1 << 18, gt=0, description="Bytes of JSON that a prompt's tests may take together; longer ones are left out."
    )

    @property
    def columns(self) -> list[str]:
        """Columns that are read beside the source's question and answer."""
        return [name for name in (self.answer, self.starter_code, self.entry_point) if name is not None]


class SourceConfig(Section):
    """One source of documents: what it is, how it is read, which rows are kept, how they look as text."""

    card: str | None = Field(None, description="Packaged card whose keys are this source's defaults.")
    parts: tuple[str, ...] = Field((), description="Packaged cards that make it up, each in a folder of its name.")
    description: str = Field("", description="What the source is.")
    domain: str = Field("general", description="Domain of the source: general, math, code, science, chat ...")
    licence: str = Field("unknown", description="Licence of the data.")
    licence_url: str | None = Field(None, description="Where the licence is, or is accepted.")
    hub: str | None = Field(None, description="Hub id of the data set.")
    revision: str = Field("main", description="Revision on the hub; fetching pins it to a commit.")
    hub_files: tuple[str, ...] = Field(("*",), description="Patterns of the files that are fetched.")
    gated: bool = Field(False, description="Whether the hub asks for an account that accepted the licence.")
    tokens_billion: float | None = Field(
        None, gt=0, description="Expected tokens (Table 1), for planning without the data."
    )
    columns: dict[str, str] = Field(
        default_factory=dict, description="Columns of the set and their types, for the record."
    )

    path: str = Field(
        "", description="File, folder, glob or hf:// address; `world/...` lies in the run's data folder. "
        "Default: a folder of the source's name in data.root."
    )  # fmt: skip
    reader: Literal["auto", "jsonl", "parquet", "arrow", "text"] = Field(
        "auto", description="File format; auto goes by the name's ending. JSON lines and text may be .gz or .zst."
    )
    pattern: str = Field("*", description="Files that are read from a folder, such as *.jsonl or train/*.parquet.")
    exclude: list[str] = Field(default_factory=list, description="Folders below `path` that are left out.")
    split: Literal["file", "paragraph", "passage"] = Field(
        "file", description="What a document of reader text is; a passage is paragraphs of 2,000 characters or more."
    )
    bad_rows: Literal["stop", "drop"] = Field(
        "stop", description="A row that can't be read or rendered stops the preparation, or is dropped and counted."
    )

    keep: tuple[Rule, ...] = Field((), description="Conditions that a row must meet, all of them.")
    sample: SampleConfig | None = Field(None, description="Random draw of the rows that were kept.")
    join: JoinConfig | None = Field(None, description="Text that is looked up elsewhere.")
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
    prompts: PromptsConfig | None = Field(
        None, description="How a row becomes a prompt of RL; for sources of rl.prompts, with format question_answer."
    )

    dedup: Literal["none", "exact", "minhash"] = Field("none", description="Which repeated documents are dropped.")
    decontaminate: bool = Field(True, description="Drop documents with questions of data.decontamination.")
    holdout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of documents kept out of training, by hash; written to <source>.heldout.jsonl.",
    )
    min_tokens: int = Field(0, ge=0, description="Documents with fewer tokens are dropped.")
    end_of_document: bool = Field(True, description="End each document with the end-of-document token.")

    @model_validator(mode="before")
    @classmethod
    def _with_card(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("card"), str):
            return {**card_values(values["card"]), **values}
        return values
