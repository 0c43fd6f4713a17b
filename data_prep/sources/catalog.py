"""Packaged cards of data sets: keys of `SourceConfig` in cards/<name>.yaml."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from data_prep.errors import UsageError
from data_prep.schema.source import SourceConfig

_CARDS = Path(__file__).parent / "cards"

_OF_THE_WHOLE = (
    "domain", "bad_rows", "dedup", "decontaminate", "holdout", "min_tokens", "end_of_document",
)  # fmt: skip
"""Keys that the parts of a source take from the source."""


def cards() -> list[str]:
    """Names of the cards, sorted."""
    return sorted(path.stem for path in _CARDS.glob("*.yaml"))


def card_values(name: str) -> dict[str, Any]:
    """The keys of a card.

    Raises:
        UsageError: there is no card of this name.
    """
    return dict(_load(name))


def card(name: str) -> SourceConfig:
    """A card as a source. Raises UsageError when there is no card of this name."""
    return SourceConfig(**card_values(name))


def part_configs(config: SourceConfig, name: str) -> dict[str, SourceConfig]:
    """The parts of a source by name, each in a folder of its name; a source without parts is its only part.

    How documents are deduplicated, held out and ended is the whole source's business, and so is its domain.

    Raises:
        UsageError: a part has no card.
    """
    if not config.parts:
        return {name: config}
    whole = {key: getattr(config, key) for key in _OF_THE_WHOLE}
    return {part: SourceConfig(card=part, path=f"{config.path.rstrip('/')}/{part}", **whole) for part in config.parts}


@cache
def _load(name: str) -> dict[str, Any]:
    known = cards()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise UsageError(
            f"no card named {name!r}",
            place="data.sources.<name>.card",
            remedy=f"use {near[0]}"
            if near
            else f"use one of {', '.join(known)}, or describe the source without a card",
        )
    values: dict[str, Any] = yaml.safe_load((_CARDS / f"{name}.yaml").read_text(encoding="utf-8"))
    return values
