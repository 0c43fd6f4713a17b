"""All that the trainer calls: prepare sources, plan and lock blends, verify a lock, load the tokenizer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from data_prep import world
from data_prep.blend_lock import Lock, verify_lock, write_lock
from data_prep.blend_plan import BlendPlan, check_epochs, plan_blend
from data_prep.card import SourceCard, read_card
from data_prep.prepare import Log, prepare_sources, source_prefix
from data_prep.schema import DataConfig
from data_prep.tokenizer import Vocabulary

__all__ = [
    "BlendPlan",
    "Lock",
    "SourceCard",
    "Vocabulary",
    "load_tokenizer",
    "lock",
    "lock_path",
    "plan",
    "prepare",
    "verify",
]


def prepare(
    config: DataConfig, directory: Path, *, sources: Iterable[str] | None = None, log: Log = print
) -> dict[str, SourceCard]:
    """Generates the world if the recipe has one, trains the tokenizer, tokenises the sources.

    Raises:
        DataError: a raw file is missing, or a row can't be read; named with its place.
    """
    if config.world is not None:
        world.generate(config.world, directory / "world")
    return prepare_sources(config, directory, config.sources if sources is None else sources, log)


def plan(config: DataConfig, directory: Path, blend: str, tokens: int) -> BlendPlan:
    """Forecasts a blend at a budget of `tokens` from the prepared sources' cards."""
    weights = config.blends[blend]
    cards = {name: read_card(source_prefix(directory, name)) for name in weights}
    return plan_blend(
        blend,
        weights,
        {name: card.tokens for name, card in cards.items()},
        {name: card.domain for name, card in cards.items()},
        tokens,
    )


def lock_path(directory: Path, blend: str) -> Path:
    return directory / "blends" / f"{blend}.lock.json"


def lock(config: DataConfig, directory: Path, blend: str, tokens: int, seed: int) -> Path:
    """Writes the blend's lock for a budget of `tokens`.

    Raises:
        GateRefused: a source would be repeated more often than `max_epochs`.
    """
    planned = plan(config, directory, blend, tokens)
    check_epochs(planned, config.max_epochs)
    prefixes = {name: source_prefix(directory, name) for name in config.blends[blend]}
    cards = {name: read_card(prefix) for name, prefix in prefixes.items()}
    path = lock_path(directory, blend)
    write_lock(path, planned, prefixes, cards, seed)
    return path


def verify(path: Path) -> Lock:
    """Reads a lock and checks every file it names; see `data_prep.blend.verify_lock`."""
    return verify_lock(path)


def load_tokenizer(path: Path, end_of_document: str = "<eos>") -> Vocabulary:
    """The run's tokenizer."""
    return Vocabulary(path, end_of_document)
