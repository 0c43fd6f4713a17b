"""<source>.card.json: what a tokenised source is and what made it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from data_prep.errors import DataError
from data_prep.files import read_json, write_json

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class SourceCard:
    """`text_bytes` counts UTF-8; `inputs` fingerprints the raw files, `section` the recipe's settings."""

    source: str
    domain: str
    licence: str
    documents: int
    tokens: int
    text_bytes: int
    held_out_documents: int
    tokenizer_sha256: str
    bin_sha256: str
    idx_sha256: str
    section: str
    inputs: str
    steps: list[str] = field(default_factory=list)
    schema_version: int = SCHEMA_VERSION


def card_path(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".card.json")


def write_card(prefix: Path, card: SourceCard) -> None:
    write_json(card_path(prefix), asdict(card))


def read_card(prefix: Path) -> SourceCard:
    """Raises DataError when the card is missing or of another release's schema."""
    values = read_json(card_path(prefix))
    check_version(values, SCHEMA_VERSION, card_path(prefix))
    return SourceCard(**values)


def check_version(values: dict[str, Any], version: int, path: Path) -> None:
    """Raises DataError when a file's schema_version isn't `version`."""
    found = values.get("schema_version")
    if found != version:
        raise DataError(
            f"schema_version {found}, this release reads {version}",
            place=str(path),
            remedy="use the release of prism-megatron that wrote it, or make it again",
        )
