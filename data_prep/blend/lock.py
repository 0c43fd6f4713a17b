"""Blend locks: what a blend was planned from, pinned by content hashes and verified before training."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_prep.blend.plan import BlendPlan
from data_prep.card import check_version
from data_prep.content_hash import Piece, combined
from data_prep.errors import DataError
from data_prep.files import fingerprint, read_json, write_json
from data_prep.index import bin_path, idx_path
from data_prep.seen import Seen

SCHEMA_VERSION = 2

ORDER = "largest lag (megatron-core); chunks shuffled by epoch, version 1"
"""What the order of samples follows. It changes when the same lock would give other samples."""

_REMEDY = "put the file back as it was, or delete it and run `prism data prepare`"


@dataclass(frozen=True)
class LockedSource:
    """`prefix` of .bin/.idx with the hashes that training checks; `epochs` at the blend's budget."""

    name: str
    prefix: Path
    domain: str
    weight_percent: float
    tokens: int
    documents: int
    epochs: float
    bin: tuple[Piece, ...]
    idx: tuple[Piece, ...]

    @property
    def bin_hash(self) -> str:
        return combined(self.bin)


@dataclass(frozen=True)
class Lock:
    """A blend as it was locked. `capacity` is what a pack holds, None where documents are concatenated."""

    blend: str
    budget_tokens: int
    seed: int
    capacity: int | None
    tokenizer_sha256: str
    sources: tuple[LockedSource, ...]
    fingerprint: str


@dataclass(frozen=True)
class SourceFiles:
    """What a source's part in a blend lies in: its own files, or their packs."""

    prefix: Path
    tokens: int
    documents: int
    tokenizer_sha256: str
    bin: Sequence[Piece]
    idx: Sequence[Piece]


def write_lock(
    path: Path, plan: BlendPlan, files: Mapping[str, SourceFiles], seed: int, capacity: int | None = None
) -> None:
    """Pins weights, order, seed and content hashes; prefixes are written relative to the lock.

    Raises:
        DataError: the sources were tokenised by different tokenizers, or a file isn't what its card or report says.
    """
    tokenizers = {source.tokenizer_sha256 for source in files.values()}
    if len(tokenizers) != 1:
        raise DataError(
            "the sources were tokenised by different tokenizers", place=str(path), remedy="run `prism data prepare`"
        )
    values = {
        "schema_version": SCHEMA_VERSION,
        "blend": plan.blend,
        "budget_tokens": plan.budget_tokens,
        "seed": seed,
        "order": ORDER,
        "capacity": capacity,
        "tokenizer_sha256": tokenizers.pop(),
        "sources": [
            {
                "name": source.name,
                "prefix": os.path.relpath(files[source.name].prefix, path.parent),
                "domain": source.domain,
                "weight_percent": source.weight_percent,
                "tokens": files[source.name].tokens,
                "documents": files[source.name].documents,
                "epochs": round(source.epochs, 4),
                "bin": [asdict(piece) for piece in files[source.name].bin],
                "idx": [asdict(piece) for piece in files[source.name].idx],
            }
            for source in plan.sources
        ],
    }
    _check_files(path, files.values(), every_byte=False)
    write_json(path, {**values, "fingerprint": fingerprint(values)})


def verify_lock(path: Path, tokenizer_sha256: str | None = None, *, every_byte: bool = False) -> Lock:
    """Reads a lock and checks every file that it names.

    A file that wasn't written to since it was last hashed for a lock of this folder isn't hashed again, unless
    `every_byte` is asked for; see `data_prep.seen`.

    Raises:
        DataError: a file is missing or was changed, the lock was edited, or another release wrote it.
    """
    lock = read_lock(path)
    if tokenizer_sha256 not in (None, lock.tokenizer_sha256):
        raise DataError(
            "the tokenizer isn't the one that the blend was locked with",
            place=str(path),
            remedy="put the old tokenizer.json back, or run `prism data prepare`",
        )
    _check_files(path, lock.sources, every_byte=every_byte)
    return lock


def read_lock(path: Path) -> Lock:
    """Reads a lock without a look at the files that it names.

    Raises:
        DataError: the lock is missing, was edited, or another release wrote it.
    """
    edited = DataError(
        "the lock was edited by hand, or orders samples as another release does",
        place=str(path),
        remedy="make it again: `prism data prepare`",
    )
    try:
        values = read_json(path)
        if not isinstance(values, dict):
            raise edited
        check_version(values, SCHEMA_VERSION, path)
        stated = values.pop("fingerprint", None)
        if fingerprint(values) != stated or values["order"] != ORDER:
            raise edited
    except UnicodeError:
        raise edited from None
    return Lock(
        blend=values["blend"],
        budget_tokens=values["budget_tokens"],
        seed=values["seed"],
        capacity=values["capacity"],
        tokenizer_sha256=values["tokenizer_sha256"],
        sources=tuple(_source(entry, path.parent) for entry in values["sources"]),
        fingerprint=stated,
    )


def _check_files(lock: Path, sources: Iterable[LockedSource | SourceFiles], *, every_byte: bool) -> None:
    seen = Seen(lock.with_name(".seen.json"))
    for source in sources:
        for file, pieces in ((bin_path(source.prefix), source.bin), (idx_path(source.prefix), source.idx)):
            seen.confirm(file, pieces, _REMEDY, every_byte=every_byte)
    seen.save()


def _source(entry: dict[str, Any], folder: Path) -> LockedSource:
    pieces = {key: tuple(Piece(**piece) for piece in entry[key]) for key in ("bin", "idx")}
    return LockedSource(**{**entry, **pieces, "prefix": folder / entry["prefix"]})
