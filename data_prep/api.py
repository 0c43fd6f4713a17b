"""All that the trainer calls: prepare sources, plan and lock blends, verify a lock, open its samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from data_prep import decontaminate, world
from data_prep.blend.lock import Lock, SourceFiles, verify_lock, write_lock
from data_prep.blend.plan import BlendPlan, check_epochs, plan_blend
from data_prep.card import SourceCard, read_card
from data_prep.dataset import BlendedDataset, Sample, TrainingRow, open_samples, order_of, orders_folder
from data_prep.executor import Executor
from data_prep.files import read_jsonl
from data_prep.look import (
    Shown,
    SourceStatistics,
    show_documents,
    show_row,
    statistics_of,
    verify_directory,
    verify_pair,
)
from data_prep.pack import PackSettings, pack_source
from data_prep.pack.report import read_packed_files
from data_prep.prepare import prepare_sources, source_prefix
from data_prep.prompts import NoPrompt, PromptSetCard, prompts_path, read_prompt_card
from data_prep.prompts import prepare_prompts as make_prompts
from data_prep.prompts.code_tests import ALL_TESTS, code_tests
from data_prep.schema import DataConfig, DecontaminationConfig, Packing, PromptSet, lock_name
from data_prep.tokenizer import Vocabulary

Log = Callable[[str], None]

__all__ = [
    "BlendPlan",
    "BlendedDataset",
    "Executor",
    "Lock",
    "NoPrompt",
    "PromptSetCard",
    "Sample",
    "Shown",
    "SourceCard",
    "SourceStatistics",
    "TrainingRow",
    "Vocabulary",
    "held_out_texts",
    "load_tokenizer",
    "lock",
    "lock_path",
    "open_samples",
    "plan",
    "prepare",
    "prepare_prompts",
    "prompts_path",
    "published_tests",
    "read_prompt_card",
    "show_documents",
    "show_row",
    "source_prefix",
    "statistics_of",
    "verify",
    "verify_directory",
    "verify_pair",
]


def prepare(
    config: DataConfig,
    directory: Path,
    *,
    sources: Iterable[str] | None = None,
    executor: Executor | None = None,
    log: Log = print,
) -> dict[str, SourceCard]:
    """Generates the world if the recipe has one, trains the tokenizer, tokenises the sources.

    What is there and unchanged is left alone; what was begun goes on. The files don't depend on the executor.

    Raises:
        DataError: a raw file is missing, or a row can't be read; named with its place.
    """
    if config.world is not None:
        world.generate(config.world, directory / "world")
    names = config.sources if sources is None else sources
    return prepare_sources(config, directory, names, executor or Executor(), log)


def prepare_prompts(
    sets: Mapping[str, PromptSet],
    decontamination: DecontaminationConfig,
    directory: Path,
    *,
    executor: Executor | None = None,
    log: Log = print,
) -> dict[str, PromptSetCard]:
    """Writes the prompt sets of RL, by domain, to `directory/prompts`, without evaluation questions.

    What is there and unchanged is left alone; what was begun goes on.

    Raises:
        DataError: a raw file is missing, or a row can't be read; named with its place.
    """
    questions = decontaminate.prepare_index(decontamination, directory / "decontamination")
    return {
        domain: make_prompts(domain, config, directory, questions, executor or Executor(), log)
        for domain, config in sets.items()
    }


def published_tests(found: Any, entry_point: str | None = None) -> dict[str, Any]:
    """The code verifier of tests in a published form (`data_prep.prompts.code_tests`), every one of them.

    Raises:
        NoPrompt: there is no test, or none that can be run.
    """
    return code_tests(found, entry_point, ALL_TESTS).verifier


def plan(config: DataConfig, directory: Path, blend: str, tokens: int, packing: Packing | None = None) -> BlendPlan:
    """Forecasts a blend at a budget of `tokens` from the prepared sources."""
    domains = {name: source.domain for name, source in config.sources.items()}
    available = {}
    for name in config.sources:
        prefix = source_prefix(directory, name)
        if prefix.with_name(prefix.name + ".card.json").is_file():
            available[name] = read_card(prefix).tokens
    weights = config.blends[blend]
    planned = plan_blend(blend, weights, available, domains, tokens)
    if packing is None:
        return planned
    packed = {source.name: _files(directory, source.name, packing).tokens for source in planned.sources}
    resolved = {source.name: source.weight_percent for source in planned.sources}
    return plan_blend(blend, resolved, packed, domains, tokens)


def lock_path(directory: Path, blend: str, packing: Packing | None = None) -> Path:
    return directory / "blends" / lock_name(blend, packing)


def lock(
    config: DataConfig,
    directory: Path,
    blend: str,
    tokens: int,
    seed: int,
    *,
    samples: int = 0,
    packing: Packing | None = None,
) -> Path:
    """Writes the blend's lock for a budget of `tokens`, and the order of its `samples` sequences.

    With `packing`, the blend's sources are packed first, unless they are already.

    Raises:
        GateRefused: a source would be repeated more often than `max_epochs`.
    """
    planned = plan(config, directory, blend, tokens, packing)
    check_epochs(planned, config.max_epochs)
    files = {source.name: _files(directory, source.name, packing) for source in planned.sources}
    path = lock_path(directory, blend, packing)
    write_lock(path, planned, files, seed, packing.capacity if packing else None)
    if samples:
        order_of([source.weight_percent for source in planned.sources], samples, orders_folder(directory))
    return path


def _files(directory: Path, name: str, packing: Packing | None) -> SourceFiles:
    prefix = source_prefix(directory, name)
    card = read_card(prefix)
    if packing is None:
        return SourceFiles(prefix, card.tokens, card.documents, card.tokenizer_sha256, card.bin, card.idx)
    packs = prefix.with_name(f"{name}.{packing.label}")
    report = pack_source(prefix, packs, PackSettings(packing.capacity, packing.overlap, packing.min_tokens))
    written = read_packed_files(packs)
    return SourceFiles(
        packs, report.packs * packing.capacity, report.packs, card.tokenizer_sha256, [written.bin], [written.idx]
    )


def held_out_texts(directory: Path, source: str) -> Iterator[str]:
    """Documents that the source's `holdout` keeps out of training, in the order of the raw data; none without one."""
    file = directory / "sources" / f"{source}.heldout.jsonl"
    if file.is_file():
        yield from (str(row["text"]) for row in read_jsonl(file))


def verify(path: Path, *, every_byte: bool = False) -> Lock:
    """Reads a lock and checks every file it names; see `data_prep.blend.lock.verify_lock`."""
    return verify_lock(path, every_byte=every_byte)


def load_tokenizer(path: Path, end_of_document: str = "<eos>") -> Vocabulary:
    """The run's tokenizer."""
    return Vocabulary(path, end_of_document)
