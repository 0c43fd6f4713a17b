"""Raw sources to .bin/.idx and cards; what is there and unchanged is left alone, what was begun goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from datatrove.pipeline.base import PipelineStep

from data_prep import decontaminate
from data_prep.card import SourceCard, StepCount, card_path, read_card, write_card
from data_prep.content_hash import check_file
from data_prep.dedup import DropDuplicates, find_duplicates
from data_prep.errors import DataError
from data_prep.executor import Executor
from data_prep.files import atomic_writer, fingerprint, write_text
from data_prep.index import bin_path, idx_path, merge_indexes
from data_prep.read.files import source_files
from data_prep.sampling import Draw, combine_keys
from data_prep.schema import DataConfig
from data_prep.seen import Seen
from data_prep.steps.chain import SourcePlan, documents, plan_source, rows_to_draw, training_texts
from data_prep.steps.rows import CollectKeys
from data_prep.steps.tokenise import (
    HoldOut,
    Tokenise,
    held_out_path,
    read_result,
    result_path,
    shard_prefix,
)
from data_prep.tokenizer import Vocabulary, prepare_tokenizer

Log = Callable[[str], None]

VERSION = 2
"""Changes when the same settings and files would give other tokens."""


def prepare_sources(
    config: DataConfig, directory: Path, names: Iterable[str], executor: Executor, log: Log
) -> dict[str, SourceCard]:
    """Tokenises the named sources into `directory/sources`; returns their cards."""
    plans = {name: plan_source(name, source, directory) for name, source in config.sources.items()}
    made_by = {name: _made_by(plan, directory) for name, plan in plans.items()}
    vocabulary = prepare_tokenizer(
        config.tokenizer,
        directory,
        {name: (made_by[name], partial(training_texts, plan)) for name, plan in plans.items()},
        log,
    )
    questions = decontaminate.prepare_index(config.decontamination, directory / "decontamination")
    work = _Work(directory, vocabulary, questions, executor, log)
    return {name: work.prepare(plans[name], made_by[name]) for name in names}


def source_prefix(directory: Path, name: str) -> Path:
    return directory / "sources" / name


def _made_by(plan: SourcePlan, directory: Path) -> tuple[str, str]:
    """Fingerprints of the source's settings and of its raw files (name, size, time of change)."""
    files = [file for settings in plan.parts.values() for file in source_files(settings, directory)]
    settings = {part: settings.model_dump(mode="json") for part, settings in plan.parts.items()}
    return fingerprint([VERSION, settings]), fingerprint([(file.name, file.size, file.stamp) for file in files])


@dataclass(frozen=True)
class _Work:
    directory: Path
    vocabulary: Vocabulary
    questions: decontaminate.PreparedIndex | None
    executor: Executor
    log: Log

    def prepare(self, plan: SourcePlan, made_by: tuple[str, str]) -> SourceCard:
        prefix = source_prefix(self.directory, plan.name)
        questions = self.questions if plan.config.decontaminate else None
        inputs = fingerprint([made_by[1], questions.fingerprint if questions is not None else None])
        folder = prefix.parent / ".work" / plan.name
        card = self._unchanged(prefix, made_by[0], inputs)
        if card is None:
            card_path(prefix).unlink(missing_ok=True)  # before its files: a card never speaks of others
            _begin(folder, fingerprint([made_by[0], inputs, self.vocabulary.sha256]))
            card = self._make(plan, prefix, folder, made_by[0], inputs)
            self.log(f"{plan.name}: {card.documents:,} documents, {card.tokens:,} tokens")
        else:
            self.log(f"{plan.name}: unchanged, {card.tokens:,} tokens")
        shutil.rmtree(folder, ignore_errors=True)
        return card

    def _decontaminates(self, plan: SourcePlan) -> bool:
        return self.questions is not None and plan.config.decontaminate

    def _unchanged(self, prefix: Path, section: str, inputs: str) -> SourceCard | None:
        if not (card_path(prefix).is_file() and bin_path(prefix).is_file() and idx_path(prefix).is_file()):
            return None
        try:
            card = read_card(prefix)
        except DataError:
            return None  # another release's
        same = (card.section, card.inputs, card.tokenizer_sha256) == (section, inputs, self.vocabulary.sha256)
        return card if same and _is_whole(prefix, card) else None

    def _make(self, plan: SourcePlan, prefix: Path, folder: Path, section: str, inputs: str) -> SourceCard:
        if not plan.units:
            raise _nothing_left(plan, [])
        steps = documents(plan, self._draws(plan, folder), self.questions, folder / "decontamination")
        if plan.config.dedup != "none":
            drops = folder / "duplicates"
            find_duplicates(plan.config.dedup, steps, drops, len(plan.units), self._stage(plan, folder))
            steps = [*steps, DropDuplicates(drops)]
        shards = folder / "shards"
        if plan.config.holdout:
            steps = [*steps, HoldOut(plan.config.holdout, shards)]
        tokenise = Tokenise(
            shards,
            self.vocabulary.path,
            self.vocabulary.end_of_document,
            append_end=plan.config.end_of_document,
            min_tokens=plan.config.min_tokens,
            alone=self.executor.alone(len(plan.units)),
        )
        self._stage(plan, folder)("tokenise", [*steps, tokenise], len(plan.units))
        results = [read_result(shards, unit.number) for unit in plan.units]
        steps_counted = _counts(folder / "tokenise", len(plan.units))
        if not any(result.documents for result in results):
            raise _nothing_left(plan, steps_counted)
        index = merge_indexes([shard_prefix(shards, unit.number) for unit in plan.units], prefix)
        if plan.config.holdout:
            _put_together(
                [held_out_path(shards, unit.number) for unit in plan.units],
                prefix.with_name(f"{plan.name}.heldout.jsonl"),
            )
        config = plan.config
        card = SourceCard(
            source=plan.name,
            domain=config.domain,
            licence=config.licence,
            hub=config.hub,
            revision=config.revision if config.hub else None,
            documents=sum(result.documents for result in results),
            tokens=sum(result.tokens for result in results),
            text_bytes=sum(result.text_bytes for result in results),
            held_out_documents=sum(result.held_out_documents for result in results),
            tokenizer_sha256=self.vocabulary.sha256,
            bin=[result.bin for result in results if result.bin.size],
            idx=[index],
            section=section,
            inputs=inputs,
            steps=steps_counted,
            decontamination=decontaminate.summarise(folder / "decontamination") if self._decontaminates(plan) else {},
        )
        write_card(prefix, card)
        return card

    def _draws(self, plan: SourcePlan, folder: Path) -> Mapping[str, Draw]:
        sampled = {part: config.sample for part, config in plan.parts.items() if config.sample is not None}
        if not sampled:
            return {}
        keys = folder / "keys"
        steps = [*rows_to_draw(plan), CollectKeys(plan.parts, keys)]
        self._stage(plan, folder)("draw", steps, len(plan.units))
        draws = {part: combine_keys(keys / part, sample) for part, sample in sampled.items()}
        for part, draw in draws.items():
            for warning in draw.warnings():
                self.log(f"{part}: {warning}")
        return draws

    def _stage(self, plan: SourcePlan, folder: Path) -> Callable[[str, Sequence[PipelineStep], int], None]:
        def run(stage: str, pipeline: Sequence[PipelineStep], tasks: int) -> None:
            if stage == "tokenise":
                _distrust(folder / stage, folder / "shards", tasks)
            self.executor.run(f"{plan.name}-{stage}", pipeline, tasks, folder / stage)

        return run


def _is_whole(prefix: Path, card: SourceCard) -> bool:
    """Whether the files are those that the card speaks of; those not seen before are hashed."""
    seen = Seen(prefix.parent / ".seen.json")
    for file, pieces in ((bin_path(prefix), card.bin), (idx_path(prefix), card.idx)):
        if not seen.unchanged(file, pieces):
            try:
                check_file(file, pieces, remedy="")
            except DataError:
                return False
            seen.note(file, pieces)
    seen.save()
    return True


def _begin(folder: Path, stamp: str) -> None:
    """Makes the work folder, or clears one that was begun with other settings or files."""
    file = folder / "made_by"
    if not file.is_file() or file.read_text() != stamp:
        shutil.rmtree(folder, ignore_errors=True)
        write_text(file, stamp)


def _distrust(logs: Path, shards: Path, tasks: int) -> None:
    """Unmarks tasks whose shard isn't whole: a mark may have reached the disk before it."""
    for unit in range(tasks):
        if not result_path(shards, unit).is_file():
            (logs / "completions" / f"{unit:05d}").unlink(missing_ok=True)


def _counts(logs: Path, tasks: int) -> list[StepCount]:
    """What datatrove's steps counted, added up over the tasks."""
    totals: dict[str, dict[str, int]] = {}
    for unit in range(tasks):
        file = logs / "stats" / f"{unit:05d}.json"
        if not file.is_file():
            continue
        for step in json.loads(file.read_text()):
            counts = totals.setdefault(step["name"], {})
            for label, value in step["stats"].items():
                total = value["total"] if isinstance(value, dict) else value
                counts[label] = counts.get(label, 0) + int(total)
    return [StepCount(step, counts) for step, counts in totals.items()]


def _nothing_left(plan: SourcePlan, steps: Sequence[StepCount]) -> DataError:
    dropped = [f"{count:,} {label}" for step in steps for label, count in step.counts.items() if ": " in label]
    return DataError(
        f"no document is left ({'; '.join(dropped) or 'the files are empty'})",
        place=plan.config.path,
        remedy="correct the source's path, pattern, keep or sample",
    )


def _put_together(files: Sequence[Path], path: Path) -> None:
    with atomic_writer(path) as out:
        for file in files:
            with file.open("rb") as part:
                shutil.copyfileobj(part, out)
