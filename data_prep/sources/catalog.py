"""Packaged cards of data sets as sources: keys of `SourceConfig` in cards/<name>.yaml."""

from __future__ import annotations

from data_prep.schema.source import SourceConfig
from data_prep.sources.card_files import card_values, cards

__all__ = ["card", "card_values", "cards", "part_configs"]

_OF_THE_WHOLE = (
    "domain", "bad_rows", "dedup", "decontaminate", "holdout", "min_tokens", "end_of_document",
)  # fmt: skip
"""Keys that the parts of a source take from the source."""


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
