"""Blend locks: what a blend was planned from, pinned by content hashes and verified before training."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data_prep.blend_plan import BlendPlan
from data_prep.card import SourceCard, check_version
from data_prep.errors import DataError
from data_prep.files import fingerprint, read_json, sha256_file, write_json
from data_prep.index import bin_path, idx_path

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class LockedSource:
    """`prefix` of .bin/.idx with the hashes that training checks."""

    name: str
    prefix: Path
    weight_percent: float
    tokens: int
    documents: int
    epochs: float
    bin_sha256: str
    idx_sha256: str


@dataclass(frozen=True)
class Lock:
    """A blend that was verified against its files."""

    blend: str
    budget_tokens: int
    seed: int
    tokenizer_sha256: str
    sources: tuple[LockedSource, ...]
    fingerprint: str


def write_lock(
    path: Path, plan: BlendPlan, prefixes: Mapping[str, Path], cards: Mapping[str, SourceCard], seed: int
) -> None:
    """Pins weights, order, seed and content hashes; prefixes are written relative to the lock."""
    sources = [
        {
            "name": source.name,
            "prefix": os.path.relpath(prefixes[source.name], path.parent),
            "weight_percent": source.weight_percent,
            "tokens": cards[source.name].tokens,
            "documents": cards[source.name].documents,
            "epochs": round(source.epochs, 4),
            "domain": source.domain,
            "bin_sha256": cards[source.name].bin_sha256,
            "idx_sha256": cards[source.name].idx_sha256,
        }
        for source in plan.sources
    ]
    tokenizers = {card.tokenizer_sha256 for card in cards.values()}
    if len(tokenizers) != 1:
        raise DataError(
            "the sources were tokenised by different tokenizers", place=str(path), remedy="run `prism data prepare`"
        )
    values = {
        "schema_version": SCHEMA_VERSION,
        "blend": plan.blend,
        "budget_tokens": plan.budget_tokens,
        "seed": seed,
        "tokenizer_sha256": tokenizers.pop(),
        "sources": sources,
    }
    write_json(path, {**values, "fingerprint": fingerprint(values)})


def verify_lock(path: Path, tokenizer_sha256: str | None = None) -> Lock:
    """Reads a lock and hashes every file that it names.

    Raises:
        DataError: a file is missing or was changed, the lock was edited, or another release wrote it.
    """
    values = read_json(path)
    check_version(values, SCHEMA_VERSION, path)
    stated = values.pop("fingerprint", None)
    if fingerprint(values) != stated:
        raise DataError("the lock was edited by hand", place=str(path), remedy="make it again: `prism data prepare`")
    if tokenizer_sha256 not in (None, values["tokenizer_sha256"]):
        raise DataError(
            "the tokenizer isn't the one that the blend was locked with",
            place=str(path),
            remedy="put the old tokenizer.json back, or run `prism data prepare`",
        )
    sources = []
    for entry in values["sources"]:
        prefix = path.parent / entry["prefix"]
        for file, key in ((bin_path(prefix), "bin_sha256"), (idx_path(prefix), "idx_sha256")):
            _check_hash(file, entry[key], path)
        sources.append(
            LockedSource(
                name=entry["name"],
                prefix=prefix,
                weight_percent=entry["weight_percent"],
                tokens=entry["tokens"],
                documents=entry["documents"],
                epochs=entry["epochs"],
                bin_sha256=entry["bin_sha256"],
                idx_sha256=entry["idx_sha256"],
            )
        )
    return Lock(
        values["blend"], values["budget_tokens"], values["seed"], values["tokenizer_sha256"], tuple(sources), stated
    )


def _check_hash(file: Path, expected: str, lock: Path) -> None:
    remedy = "put the locked file back, or run `prism data prepare` to lock the new one"
    if not file.is_file():
        raise DataError("the file is missing, the blend was locked with it", place=str(file), remedy=remedy)
    found = sha256_file(file)
    if found != expected:
        raise DataError(
            f"the file changed since {lock.name} was written (locked {expected[:12]}, found {found[:12]})",
            place=str(file),
            remedy=remedy,
        )
