"""A prompt set from its sources: what is there and unchanged is left alone, what was begun goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from data_prep.decontaminate import PreparedIndex
from data_prep.errors import DataError
from data_prep.executor import Executor
from data_prep.files import fingerprint, sha256_file, write_jsonl, write_text
from data_prep.prompts.card import PromptSetCard, SourceCount, prompt_card_path, read_prompt_card, write_prompt_card
from data_prep.prompts.merge import Merged, SourceShards, choose, chosen_rows
from data_prep.prompts.shard import MakeShard, add_counts, counts_path
from data_prep.read import plan_units
from data_prep.read.files import source_files
from data_prep.schema import PromptSet, SourceConfig

VERSION = 1
"""Changes when the same settings and files would give other prompts."""

Log = Callable[[str], None]


def prompts_path(directory: Path, domain: str) -> Path:
    """Where a domain's set lies; `directory` is the run's data folder."""
    return directory / "prompts" / f"{domain}.jsonl"


def prepare_prompts(
    domain: str, config: PromptSet, directory: Path, questions: PreparedIndex | None, executor: Executor, log: Log
) -> PromptSetCard:
    """Writes a domain's prompts and their card. `questions` is the index of evaluation questions to keep out.

    Raises:
        DataError: a file or row can't be read, or a source gives no prompt.
    """
    path = prompts_path(directory, domain)
    section = fingerprint([VERSION, domain, config.model_dump(mode="json")])
    files = [(name, file) for name, source in config.sources.items() for file in source_files(source, directory)]
    inputs = fingerprint(
        [
            questions.fingerprint if questions else None,
            [(name, file.name, file.size, file.stamp) for name, file in files],
        ]
    )
    if (card := _unchanged(path, section, inputs)) is not None:
        log(f"{domain}: unchanged, {card.prompts:,} prompts")
        return card
    prompt_card_path(path).unlink(missing_ok=True)  # before the set: a card never speaks of another
    work = path.parent / ".work" / domain
    _begin(work, fingerprint([section, inputs]))
    shards = [
        _make_shards(name, source, directory, questions, executor, work / name, config.draw.get(name))
        for name, source in config.sources.items()
    ]
    chosen, counts = choose(shards, config.seed)
    write_jsonl(path, chosen_rows(shards, chosen, counts))
    made = [
        _count(source, one, count) for source, one, count in zip(config.sources.values(), shards, counts, strict=True)
    ]
    card = PromptSetCard(domain, sum(one.prompts for one in made), sha256_file(path), section, inputs, made)
    for one in made:
        log(_told(domain, one))
    _refuse_empty(card, path)
    write_prompt_card(path, card)
    shutil.rmtree(work, ignore_errors=True)
    return card


def _make_shards(
    name: str,
    config: SourceConfig,
    directory: Path,
    questions: PreparedIndex | None,
    executor: Executor,
    folder: Path,
    draw: int | None,
) -> SourceShards:
    units = tuple(plan_units(name, config, directory))
    asked = questions if config.decontaminate else None
    for unit in units:
        if not counts_path(folder, unit.number).is_file():  # a mark may have reached the disk before them
            (folder / "prompts" / "completions" / f"{unit.number:05d}").unlink(missing_ok=True)
    executor.run(f"{name}-prompts", [MakeShard(name, config, units, asked, folder)], len(units), folder / "prompts")
    return SourceShards(name, folder, len(units), draw)


def _count(config: SourceConfig, shards: SourceShards, merged: Merged) -> SourceCount:
    rows, dropped, decontamination = add_counts(shards.folder, shards.units)
    return SourceCount(
        source=shards.name,
        hub=config.hub,
        revision=config.revision if config.hub else None,
        licence=config.licence,
        rows=rows,
        dropped=dropped,
        decontamination=decontamination,
        repeated=merged.repeated,
        repeated_with_other_answer=merged.repeated_with_other_answer,
        not_drawn=merged.not_drawn,
        prompts=merged.prompts,
        tests_left_out=merged.tests_left_out,
    )


def _told(domain: str, count: SourceCount) -> str:
    dropped = sum(count.dropped.values())
    return (
        f"{domain}: {count.source}: {count.prompts:,} prompts of {count.rows:,} rows ({dropped:,} dropped, "
        f"{count.decontamination['dropped']:,} evaluation questions, {count.repeated:,} repeated, "
        f"{count.not_drawn:,} not drawn)"
    )


def _refuse_empty(card: PromptSetCard, path: Path) -> None:
    """A source that gives nothing is a wrong path or column, or one set published twice."""
    for count in card.sources:
        if not count.prompts:
            reasons = {
                **count.dropped,
                "evaluation questions": count.decontamination["dropped"],
                "repeated": count.repeated,
            }
            told = "; ".join(f"{number:,} {reason}" for reason, number in reasons.items() if number)
            raise DataError(
                f"source {count.source} gives no prompt ({told or 'the files are empty'})",
                place=str(path),
                remedy="correct the source's path, keep or columns, or leave it out",
            )


def _unchanged(path: Path, section: str, inputs: str) -> PromptSetCard | None:
    """The card of a set that was made in the same way and whose file is whole."""
    if not prompt_card_path(path).is_file() or not path.is_file():
        return None
    try:
        card = read_prompt_card(path)
    except DataError:
        return None  # damaged, or another release's
    same = (card.section, card.inputs, card.sha256) == (section, inputs, sha256_file(path))
    return card if same else None


def _begin(folder: Path, stamp: str) -> None:
    """Makes the work folder, or clears one that was begun with other settings or files."""
    file = folder / "made_by"
    if not file.is_file() or file.read_text() != stamp:
        shutil.rmtree(folder, ignore_errors=True)
        write_text(file, stamp)
