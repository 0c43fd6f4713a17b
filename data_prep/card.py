"""<source>.card.json: what a tokenised source is and what made it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from data_prep.content_hash import Piece, combined
from data_prep.errors import DataError
from data_prep.files import read_json, write_json

SCHEMA_VERSION = 2


@dataclass(frozen=True)
class StepCount:
    """What a step counted over all units, such as {"rows": 100, "dropped": 3, "dropped: judgement is not right": 3}."""

    step: str
    counts: dict[str, int]


@dataclass(frozen=True)
class SourceCard:
    """`text_bytes` counts UTF-8; `inputs` fingerprints the raw files, `section` the recipe's settings.

    `bin` and `idx` are the hashes of the files in pieces. `decontamination` counts dropped documents by set and kind.
    """

    source: str
    domain: str
    licence: str
    documents: int
    tokens: int
    text_bytes: int
    held_out_documents: int
    tokenizer_sha256: str
    bin: list[Piece]
    idx: list[Piece]
    section: str
    inputs: str
    hub: str | None = None
    revision: str | None = None
    steps: list[StepCount] = field(default_factory=list)
    decontamination: dict[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def bin_hash(self) -> str:
        return combined(self.bin)

    @property
    def idx_hash(self) -> str:
        return combined(self.idx)


def card_path(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".card.json")


def write_card(prefix: Path, card: SourceCard) -> None:
    write_json(card_path(prefix), asdict(card))


def read_card(prefix: Path) -> SourceCard:
    """Raises DataError when the card is missing, isn't one, or is of another release's schema."""
    path = card_path(prefix)
    values = read_json(path)
    try:
        check_version(values, SCHEMA_VERSION, path)
        pieces = {key: [Piece(**piece) for piece in values[key]] for key in ("bin", "idx")}
        return SourceCard(**{**values, **pieces, "steps": [StepCount(**step) for step in values["steps"]]})
    except (AttributeError, KeyError, TypeError):
        raise DataError(
            "not a source's card", place=str(path), remedy="delete it and run `prism data prepare`"
        ) from None


def check_version(values: dict[str, Any], version: int, path: Path) -> None:
    """Raises DataError when a file's schema_version isn't `version`."""
    found = values.get("schema_version")
    if found != version:
        raise DataError(
            f"schema_version {found}, this release reads {version}",
            place=str(path),
            remedy="use the release of prism-megatron that wrote it, or make it again",
        )
