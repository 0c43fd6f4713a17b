"""<packed>.pack.json: what a packed file was made from, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_prep.card import card_path, check_version, read_card
from data_prep.content_hash import Piece, combined, hash_file
from data_prep.errors import DataError
from data_prep.files import read_json, write_json
from data_prep.index import Written, bin_path, idx_path
from data_prep.pack.settings import PackSettings
from data_prep.seen import Seen

SCHEMA_VERSION = 1
"""Rises when the same settings would give other packs."""


@dataclass(frozen=True)
class PackReport:
    """documents: those of the source; `dropped_short` of them, with `dropped_tokens`, are shorter than min_tokens or
    empty and left out; `split` of them are longer than a pack.
    pieces, packs, tokens: what was written, with the `repeated_tokens` of overlaps.
    fill: tokens / (packs x capacity), from 0 to 1.
    """

    documents: int
    dropped_short: int
    dropped_tokens: int
    split: int
    pieces: int
    packs: int
    tokens: int
    repeated_tokens: int
    fill: float


@dataclass(frozen=True)
class PackedFiles:
    """Size and hash of a pack's two files."""

    bin: Piece
    idx: Piece


@dataclass(frozen=True)
class Content:
    """Hashes of a source's two files, over their pieces."""

    bin_hash: str
    idx_hash: str


def report_path(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".pack.json")


def write_record(prefix: Path, settings: PackSettings, source: Content, report: PackReport, written: Written) -> None:
    """Writes the report of the pack `prefix`, with what it was made from and its files' sizes and hashes."""
    write_json(
        report_path(prefix),
        {
            "schema_version": SCHEMA_VERSION,
            "settings": asdict(settings),
            "source": asdict(source),
            "report": asdict(report),
            "bin": asdict(written.bin),
            "idx": asdict(written.idx),
        },
    )


def read_pack_report(prefix: Path) -> PackReport:
    """Raises DataError when it is missing, damaged, or of another release's schema."""
    with _record(prefix) as record:
        return PackReport(**record["report"])


def read_packed_files(prefix: Path) -> PackedFiles:
    """The hashes that the files got when they were written. Raises DataError as `read_pack_report` does."""
    with _record(prefix) as record:
        return PackedFiles(Piece(**record["bin"]), Piece(**record["idx"]))


def unchanged_report(prefix: Path, settings: PackSettings, source: Content) -> PackReport | None:
    """The report of the pack `prefix` when it was made from the same source, in the same way, and is whole."""
    try:
        files = read_packed_files(prefix)
        with _record(prefix) as record:
            same = record["settings"] == asdict(settings) and record["source"] == asdict(source)
        if not same:
            return None
        seen = Seen(prefix.parent / ".seen.json")
        seen.confirm(bin_path(prefix), [files.bin], remedy="")
        seen.confirm(idx_path(prefix), [files.idx], remedy="")
        seen.save()
        return read_pack_report(prefix)
    except DataError:
        return None


def source_content(prefix: Path) -> Content:
    """From the source's card, else from its files.

    Raises:
        DataError: the files have other sizes than the card says.
    """
    files = (bin_path(prefix), idx_path(prefix))
    if not card_path(prefix).is_file():
        return Content(*(combined(hash_file(path)) for path in files))
    card = read_card(prefix)
    for path, pieces in zip(files, (card.bin, card.idx), strict=True):
        size, expected = path.stat().st_size, sum(piece.size for piece in pieces)
        if size != expected:
            raise DataError(
                f"{size:,} bytes, the source's card says {expected:,}",
                place=str(path),
                remedy="run `prism data prepare` again",
            )
    return Content(card.bin_hash, card.idx_hash)


@contextmanager
def _record(prefix: Path) -> Iterator[dict[str, Any]]:
    path = report_path(prefix)
    record = read_json(path)
    try:
        check_version(record, SCHEMA_VERSION, path)
        yield record
    except (AttributeError, KeyError, TypeError):
        raise DataError("not a report on packing", place=str(path), remedy="delete it and pack again") from None
