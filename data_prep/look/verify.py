"""Is what lies on the disk what was written? Hashes, index integrity, token range, boundaries, locks, orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tokenize import TokenError

import numpy as np

from data_prep.blend.lock import read_lock, verify_lock
from data_prep.blend.order import blend_order, read_order
from data_prep.card import card_path, read_card
from data_prep.content_hash import check_file
from data_prep.dataset import order_path, orders_folder
from data_prep.errors import DataError
from data_prep.index import bin_path, idx_path
from data_prep.index.validate import IndexReport, validate_index
from data_prep.pack import read_pack_report, read_packed_files, report_path
from data_prep.schema import DataConfig
from data_prep.tokenizer import Vocabulary

_CARD, _PACK, _LOCK = ".card.json", ".pack.json", ".lock.json"
_REMEDY = "put the file back as it was, or delete it and run `prism data prepare`"


@dataclass(frozen=True)
class Finding:
    """What verification says of one thing. `error` is None where nothing is wrong.

    kind: "source", "pack", "lock", "order", "pair" (of somebody else), "files" (that nothing speaks of).
    """

    kind: str
    name: str
    summary: str
    error: str | None = None


def verify_pair(prefix: Path, vocabulary: Vocabulary | None = None) -> Finding:
    """Every entry and every token of any .bin/.idx pair, whoever wrote it; the range of tokens with `vocabulary`."""
    return _try("pair", str(prefix), partial(_pair, prefix, vocabulary))


def verify_directory(config: DataConfig, directory: Path, vocabulary: Vocabulary) -> Iterator[Finding]:
    """Every source, pack, lock and order of a prepared data folder, each byte read; and what is there beside them.

    Sources of `config` that weren't prepared are said to be so, which is no error: a lock that needs one is.
    """
    sources, blends = directory / "sources", directory / "blends"
    cards, packs = _names(sources, _CARD), _names(sources, _PACK)
    files = _names(sources, ".bin") | _names(sources, ".idx")
    for name in sorted(cards | set(config.sources)):
        if name in cards:
            ends = name in config.sources and config.sources[name].end_of_document
            yield _try("source", name, partial(_source, sources / name, vocabulary, ends=ends))
        elif name not in files:
            yield Finding("source", name, "not prepared")
    for name in sorted(packs):
        yield _try("pack", name, partial(_pack, sources / name, vocabulary))
    for name in sorted(files - cards - packs):
        yield _try("files", name, partial(_unknown, sources / name))
    for name in sorted(_names(blends, _LOCK)):
        yield _try("lock", name, partial(_lock, blends / f"{name}{_LOCK}", vocabulary))
        yield from _order(name, blends / f"{name}{_LOCK}", directory)


def _names(folder: Path, ending: str) -> set[str]:
    return {path.name.removesuffix(ending) for path in folder.glob(f"[!.]*{ending}")}


def _try(kind: str, name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(kind, name, check())
    except DataError as error:
        return Finding(kind, name, "damaged", str(error))


def _pair(prefix: Path, vocabulary: Vocabulary | None) -> str:
    if vocabulary is None:
        return f"{_said(validate_index(prefix))}; range of tokens not checked, no tokenizer"
    return _said(_validated(prefix, vocabulary))


def _source(prefix: Path, vocabulary: Vocabulary, *, ends: bool) -> str:
    card = read_card(prefix)
    if card.tokenizer_sha256 != vocabulary.sha256:
        raise DataError(
            f"tokenised by another tokenizer than {vocabulary.path.name}",
            place=str(prefix),
            remedy="put the old tokenizer.json back, or run `prism data prepare`",
        )
    check_file(bin_path(prefix), card.bin, _REMEDY)
    check_file(idx_path(prefix), card.idx, _REMEDY)
    report = _validated(prefix, vocabulary)
    _check_counts(card_path(prefix), (card.documents, card.tokens), (report.documents, report.tokens))
    if ends and report.documents_without_end:
        raise DataError(
            f"{report.documents_without_end:,} documents don't end with {vocabulary.end_of_document}",
            place=str(prefix),
            remedy="delete its card and run `prism data prepare`",
        )
    return f"{_said(report)}; hashes as in the card"


def _pack(prefix: Path, vocabulary: Vocabulary) -> str:
    report, files = read_pack_report(prefix), read_packed_files(prefix)
    check_file(bin_path(prefix), [files.bin], _REMEDY)
    check_file(idx_path(prefix), [files.idx], _REMEDY)
    found = _validated(prefix, vocabulary)
    counts = (found.documents, found.sequences, found.tokens)
    _check_counts(report_path(prefix), (report.packs, report.pieces, report.tokens), counts)
    return f"{found.documents:,} packs, {found.sequences:,} pieces, {found.tokens:,} tokens; hashes as in the report"


def _unknown(prefix: Path) -> str:
    raise DataError(
        "neither a card nor a report says what these files should hold",
        place=str(prefix),
        remedy="run `prism data prepare`, or delete them",
    )


def _lock(path: Path, vocabulary: Vocabulary) -> str:
    lock = verify_lock(path, vocabulary.sha256, every_byte=True)
    return f"{len(lock.sources)} sources as locked for {lock.budget_tokens:,} tokens"


def _order(name: str, lock: Path, directory: Path) -> Iterator[Finding]:
    """Of the blend's written order, if there is one."""
    try:
        weights = [source.weight_percent for source in read_lock(lock).sources]
    except DataError:
        return  # the lock's own finding says so
    path = order_path(weights, orders_folder(directory))
    if path.is_file():
        yield _try("order", name, partial(_recomputed, path, weights))


def _recomputed(path: Path, weights: list[float]) -> str:
    try:
        order = read_order(path)
        wanted = blend_order(weights, len(order))
        same = np.array_equal(order.sources, wanted.sources) and np.array_equal(order.counts, wanted.counts)
    except (OSError, EOFError, SyntaxError, TokenError, TypeError, ValueError):  # numpy's, of a damaged header
        same = False
    if not same:
        raise DataError(
            "not the order of these weights", place=str(path), remedy="delete it: it is computed again when needed"
        )
    return f"{len(order):,} samples as computed"


def _check_counts(place: Path, said: tuple[int, ...], found: tuple[int, ...]) -> None:
    if said != found:
        raise DataError(
            f"it says {', '.join(map(str, said))}, the files hold {', '.join(map(str, found))}",
            place=str(place),
            remedy="delete it and run `prism data prepare`",
        )


def _validated(prefix: Path, vocabulary: Vocabulary) -> IndexReport:
    return validate_index(prefix, vocab_size=vocabulary.vocab_size, end_id=vocabulary.end_of_document_id)


def _said(report: IndexReport) -> str:
    said = f"{report.documents:,} documents, {report.tokens:,} tokens ({report.token_type})"
    if report.sequences != report.documents:
        said += f", {report.sequences:,} sequences"
    if report.documents_without_end:
        said += f", {report.documents_without_end:,} without an end token"
    return said
