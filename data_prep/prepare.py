"""Raw sources to tokens: what is there and unchanged is left alone, what was begun goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import astuple
from functools import partial
from pathlib import Path

from data_prep import decontaminate
from data_prep.card import SourceCard, card_path, read_card
from data_prep.errors import DataError
from data_prep.executor import Executor
from data_prep.files import fingerprint, write_text
from data_prep.index import bin_path, idx_path
from data_prep.make_source import Log, MadeBy, SourceWork
from data_prep.read.files import source_files
from data_prep.schema import DataConfig
from data_prep.seen import Seen
from data_prep.steps.chain import SourcePlan, plan_source, training_texts
from data_prep.tokenizer import prepare_tokenizer

VERSION = 2
"""Changes when the same settings and files would give other tokens."""


def prepare_sources(
    config: DataConfig, directory: Path, names: Iterable[str], executor: Executor, log: Log
) -> dict[str, SourceCard]:
    """Tokenises the named sources into `directory/sources`; returns their cards."""
    names = list(names)
    trained_on = [] if config.tokenizer.kind == "file" else config.tokenizer.train_on or config.sources
    plans = {name: plan_source(name, config.sources[name], directory) for name in dict.fromkeys([*names, *trained_on])}
    made_by = {name: _made_by(plan, directory) for name, plan in plans.items()}
    texts = {name: (astuple(made_by[name]), partial(training_texts, plan)) for name, plan in plans.items()}
    vocabulary = prepare_tokenizer(config.tokenizer, directory, texts, log)
    questions = decontaminate.prepare_index(config.decontamination, directory / "decontamination")
    cards = {}
    for name in names:
        prefix = source_prefix(directory, name)
        asked = questions if config.sources[name].decontaminate else None
        folder = prefix.parent / ".work" / name
        work = SourceWork(plans[name], prefix, folder, vocabulary, asked, executor, log)
        cards[name] = _prepare(work, made_by[name])
    return cards


def source_prefix(directory: Path, name: str) -> Path:
    return directory / "sources" / name


def _made_by(plan: SourcePlan, directory: Path) -> MadeBy:
    """By the settings of every part, and the raw files' names, sizes and times of change."""
    files = [file for settings in plan.parts.values() for file in source_files(settings, directory)]
    settings = {part: settings.model_dump(mode="json") for part, settings in plan.parts.items()}
    return MadeBy(fingerprint([VERSION, settings]), fingerprint([(file.name, file.size, file.stamp) for file in files]))


def _prepare(work: SourceWork, made_by: MadeBy) -> SourceCard:
    questions = work.questions.fingerprint if work.questions is not None else None
    made_by = MadeBy(made_by.section, fingerprint([made_by.inputs, questions]))
    name, tokenizer = work.plan.name, work.vocabulary.sha256
    card = _unchanged(work.prefix, made_by, tokenizer)
    if card is None:
        card_path(work.prefix).unlink(missing_ok=True)  # before its files: a card never speaks of others
        _begin(work.folder, fingerprint([made_by.section, made_by.inputs, tokenizer]))
        card = work.make(made_by)
        work.log(f"{name}: {card.documents:,} documents, {card.tokens:,} tokens")
    else:
        work.log(f"{name}: unchanged, {card.tokens:,} tokens")
    shutil.rmtree(work.folder, ignore_errors=True)
    return card


def _unchanged(prefix: Path, made_by: MadeBy, tokenizer_sha256: str) -> SourceCard | None:
    """The card of a source that was made in the same way and whose files are whole."""
    if not card_path(prefix).is_file():
        return None
    try:
        card = read_card(prefix)
        same = (card.section, card.inputs, card.tokenizer_sha256) == (made_by.section, made_by.inputs, tokenizer_sha256)
        if not same:
            return None
        seen = Seen(prefix.parent / ".seen.json")
        for file, pieces in ((bin_path(prefix), card.bin), (idx_path(prefix), card.idx)):
            seen.confirm(file, pieces, remedy="")
        seen.save()
    except DataError:
        return None  # damaged, missing, or another release's
    return card


def _begin(folder: Path, stamp: str) -> None:
    """Makes the work folder, or clears one that was begun with other settings or files."""
    file = folder / "made_by"
    if not file.is_file() or file.read_text() != stamp:
        shutil.rmtree(folder, ignore_errors=True)
        write_text(file, stamp)
