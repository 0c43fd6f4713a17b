"""One source from its units to .bin/.idx and card, in a work folder that the run after a killed one goes on with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datatrove.pipeline.base import PipelineStep

from data_prep import decontaminate
from data_prep.card import SourceCard, StepCount, write_card
from data_prep.dedup import DropDuplicates, find_duplicates
from data_prep.errors import DataError
from data_prep.executor import Executor
from data_prep.files import atomic_writer
from data_prep.index import merge_indexes
from data_prep.sampling import Draw, combine_keys
from data_prep.steps.chain import SourcePlan, documents, rows_to_draw
from data_prep.steps.rows import CollectKeys
from data_prep.steps.tokenise import (
    HoldOut,
    ShardResult,
    Tokenise,
    held_out_path,
    read_result,
    result_path,
    shard_prefix,
)
from data_prep.tokenizer import Vocabulary

Log = Callable[[str], None]


@dataclass(frozen=True)
class MadeBy:
    """What a source was made from: fingerprints of its settings and of its files."""

    section: str
    inputs: str


@dataclass(frozen=True)
class SourceWork:
    """Makes one source. `prefix` is where its files go, `folder` where the work lies meanwhile."""

    plan: SourcePlan
    prefix: Path
    folder: Path
    vocabulary: Vocabulary
    questions: decontaminate.PreparedIndex | None
    executor: Executor
    log: Log

    def make(self, made_by: MadeBy) -> SourceCard:
        """Draws, finds duplicates, tokenises, puts the shards together and writes the card.

        Raises:
            DataError: a file or row can't be read, or no document is left.
        """
        if not self.plan.units:
            raise self._nothing_left([])
        self._tokenise(self._without_duplicates(self._documents()))
        results = [read_result(self._shards, unit.number) for unit in self.plan.units]
        counts = _counts(self.folder / "tokenise", len(self.plan.units))
        if not any(result.documents for result in results):
            raise self._nothing_left(counts)
        index = merge_indexes([shard_prefix(self._shards, unit.number) for unit in self.plan.units], self.prefix)
        self._put_together("heldout.jsonl", [held_out_path(self._shards, unit.number) for unit in self.plan.units])
        self._put_together("decontamination.jsonl", sorted(self._reports.glob("*.jsonl")))
        config = self.plan.config
        card = SourceCard(
            source=self.plan.name,
            domain=config.domain,
            licence=config.licence,
            hub=config.hub,
            revision=config.revision if config.hub else None,
            documents=_sum(results, "documents"),
            tokens=_sum(results, "tokens"),
            text_bytes=_sum(results, "text_bytes"),
            held_out_documents=_sum(results, "held_out_documents"),
            tokenizer_sha256=self.vocabulary.sha256,
            bin=[result.bin for result in results if result.bin.size],
            idx=[index],
            section=made_by.section,
            inputs=made_by.inputs,
            steps=counts,
            decontamination=decontaminate.summarise(self._reports) if self._reports.is_dir() else {},
        )
        write_card(self.prefix, card)
        return card

    @property
    def _shards(self) -> Path:
        return self.folder / "shards"

    @property
    def _reports(self) -> Path:
        return self.folder / "decontamination"

    def _documents(self) -> list[PipelineStep]:
        return documents(self.plan, self._draws(), self.questions, self._reports)

    def _draws(self) -> Mapping[str, Draw]:
        sampled = {part: config.sample for part, config in self.plan.parts.items() if config.sample is not None}
        if not sampled:
            return {}
        keys = self.folder / "keys"
        self._run("draw", [*rows_to_draw(self.plan), CollectKeys(self.plan.parts, keys)], len(self.plan.units))
        draws = {part: combine_keys(keys / part, sample) for part, sample in sampled.items()}
        for part, draw in draws.items():
            for warning in draw.warnings():
                self.log(f"{part}: {warning}")
        return draws

    def _without_duplicates(self, steps: list[PipelineStep]) -> list[PipelineStep]:
        kind, drops = self.plan.config.dedup, self.folder / "duplicates"
        if kind == "none":
            return steps
        find_duplicates(kind, steps, drops, len(self.plan.units), self._run)
        return [*steps, DropDuplicates(drops)]

    def _tokenise(self, steps: list[PipelineStep]) -> None:
        config, tasks = self.plan.config, len(self.plan.units)
        if config.holdout:
            steps = [*steps, HoldOut(config.holdout, self._shards)]
        last = Tokenise(
            self._shards,
            self.vocabulary.path,
            self.vocabulary.end_of_document,
            append_end=config.end_of_document,
            min_tokens=config.min_tokens,
            alone=self.executor.alone(tasks),
        )
        for unit in range(tasks):
            # a mark may have reached the disk before the shard that it speaks of
            if not result_path(self._shards, unit).is_file():
                (self.folder / "tokenise" / "completions" / f"{unit:05d}").unlink(missing_ok=True)
        self._run("tokenise", [*steps, last], tasks)

    def _run(self, stage: str, pipeline: Sequence[PipelineStep], tasks: int) -> None:
        self.executor.run(f"{self.plan.name}-{stage}", pipeline, tasks, self.folder / stage)

    def _put_together(self, ending: str, parts: Sequence[Path]) -> None:
        """Writes <source>.<ending> from the units' parts; without any there is no such file."""
        path = self.prefix.with_name(f"{self.plan.name}.{ending}")
        parts = [part for part in parts if part.is_file()]
        if not parts:
            path.unlink(missing_ok=True)
            return
        with atomic_writer(path) as out:
            for part in parts:
                with part.open("rb") as content:
                    shutil.copyfileobj(content, out)

    def _nothing_left(self, steps: Sequence[StepCount]) -> DataError:
        dropped = [f"{count:,} {label}" for step in steps for label, count in step.counts.items() if ": " in label]
        return DataError(
            f"no document is left ({'; '.join(dropped) or 'the files are empty'})",
            place=self.plan.config.path,
            remedy="correct the source's path, pattern, keep or sample",
        )


def _sum(results: Sequence[ShardResult], count: str) -> int:
    return sum(getattr(result, count) for result in results)


def _counts(logs: Path, tasks: int) -> list[StepCount]:
    """What datatrove's steps counted, added up over the tasks."""
    totals: dict[str, dict[str, int]] = {}
    for unit in range(tasks):
        file = logs / "stats" / f"{unit:05d}.json"
        if not file.is_file():
            continue
        for step in json.loads(file.read_text()):
            counts = totals.setdefault(step["name"].partition(": ")[2], {})
            for label, value in step["stats"].items():
                total = value["total"] if isinstance(value, dict) else value
                counts[label] = counts.get(label, 0) + int(total)
    return [StepCount(step, counts) for step, counts in totals.items()]
