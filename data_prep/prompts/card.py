"""<domain>.card.json: what a prompt set is, what made it, and what was dropped on the way."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from data_prep.card import check_version
from data_prep.errors import DataError
from data_prep.files import read_json, write_json

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class SourceCount:
    """What became of a source's rows: rows = the sum of dropped + decontaminated + repeated + not_drawn + prompts.

    dropped: by reason: a condition of the card, a row that can't be read, no verifiable answer.
    decontamination: {"dropped", "by_set": {set: {kind: rows}}, "examples"}.
    repeated: asked before, in this source or one before it; of those, other_answer had another answer.
    tests_left_out: tests of kept prompts beyond the limits.
    """

    source: str
    hub: str | None
    revision: str | None
    licence: str
    rows: int
    dropped: dict[str, int]
    decontamination: dict[str, Any]
    repeated: int
    repeated_with_other_answer: int
    not_drawn: int
    prompts: int
    tests_left_out: int


@dataclass(frozen=True)
class PromptSetCard:
    """`sha256` is that of the set's file; `section` and `inputs` fingerprint the settings and the raw files."""

    domain: str
    prompts: int
    sha256: str
    section: str
    inputs: str
    sources: list[SourceCount] = field(default_factory=list)
    schema_version: int = SCHEMA_VERSION


def prompt_card_path(path: Path) -> Path:
    """The card of the set in `path`."""
    return path.with_suffix(".card.json")


def write_prompt_card(path: Path, card: PromptSetCard) -> None:
    write_json(prompt_card_path(path), asdict(card))


def read_prompt_card(path: Path) -> PromptSetCard:
    """The card of the set in `path`. Raises DataError when it is missing, isn't one, or is another release's."""
    file = prompt_card_path(path)
    values = read_json(file)
    try:
        check_version(values, SCHEMA_VERSION, file)
        return PromptSetCard(**{**values, "sources": [SourceCount(**source) for source in values["sources"]]})
    except (AttributeError, KeyError, TypeError):
        raise DataError("not a prompt set's card", place=str(file), remedy="delete it and run again") from None
