"""Is what lies on the disk what was written? Hashes, index integrity, token range, boundaries, locks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from data_prep.blend.lock import verify_lock
from data_prep.card import read_card
from data_prep.content_hash import check_file
from data_prep.errors import DataError
from data_prep.index import bin_path, idx_path
from data_prep.index.validate import IndexReport, validate_index
from data_prep.tokenizer import Vocabulary

_CARD = ".card.json"
_LOCK = ".lock.json"
_REMEDY = "put the file back, or run `prism data prepare` to make it again"


@dataclass(frozen=True)
class Finding:
    """What verification says of a source, a pack or a lock. `error` is None where all is well."""

    name: str
    kind: str
    summary: str
    error: str | None = None


def verify_pair(prefix: Path, vocab_size: int | None = None, end_id: int | None = None) -> IndexReport:
    """Every entry and every token of any .bin/.idx pair, whoever wrote it; see `validate_index`."""
    return validate_index(prefix, vocab_size=vocab_size, end_id=end_id)


def verify_directory(directory: Path, vocabulary: Vocabulary) -> Iterator[Finding]:
    """Every source with a card, every pack and every lock of a prepared data folder, each byte read."""
    sources, blends = directory / "sources", directory / "blends"
    cards = {path.name.removesuffix(_CARD) for path in sources.glob(f"*{_CARD}")}
    packs = {path.name.removesuffix(".idx") for path in sources.glob("*.idx")} - cards
    for name in sorted(cards):
        yield _try(name, "source", partial(_source, sources / name, vocabulary))
    for name in sorted(packs):
        yield _try(name, "pack", partial(_index, sources / name, vocabulary, None))
    for path in sorted(blends.glob(f"*{_LOCK}")):
        yield _try(path.name.removesuffix(_LOCK), "lock", partial(_lock, path, vocabulary))


def _try(name: str, kind: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, kind, check())
    except DataError as error:
        return Finding(name, kind, "damaged", str(error))


def _source(prefix: Path, vocabulary: Vocabulary) -> str:
    card = read_card(prefix)
    if card.tokenizer_sha256 != vocabulary.sha256:
        raise DataError("tokenised by another tokenizer", place=str(prefix), remedy="run `prism data prepare`")
    check_file(bin_path(prefix), card.bin, _REMEDY)
    check_file(idx_path(prefix), card.idx, _REMEDY)
    summary = _index(prefix, vocabulary, vocabulary.end_of_document_id)
    return f"{summary}, hashes as in the card"


def _index(prefix: Path, vocabulary: Vocabulary, end_id: int | None) -> str:
    report = validate_index(prefix, vocab_size=vocabulary.vocab_size, end_id=end_id)
    summary = f"{report.documents:,} documents, {report.tokens:,} tokens ({report.token_type})"
    if report.documents_without_end:
        summary += f", {report.documents_without_end:,} without an end token"
    return summary


def _lock(path: Path, vocabulary: Vocabulary) -> str:
    lock = verify_lock(path, vocabulary.sha256, every_byte=True)
    return f"{len(lock.sources)} sources as locked, {lock.budget_tokens:,} tokens"
