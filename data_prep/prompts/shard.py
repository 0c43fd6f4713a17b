"""The prompts of one unit of a source, as a datatrove step: units are made side by side and resumed one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from data_prep.decontaminate import PreparedIndex, QuestionIndex, Search, summarise
from data_prep.decontaminate.step import report_row
from data_prep.errors import DataError
from data_prep.files import read_json, read_jsonl, write_json, write_jsonl
from data_prep.prompts.row import NoPrompt, PreparedPrompt, prompt_row
from data_prep.read import Unit, read_unit
from data_prep.rows import Keep
from data_prep.schema import SourceConfig


class MakeShard(PipelineStep):  # type: ignore[misc]
    """Writes `<unit>.jsonl`, a prompt with its key a line, and then `<unit>.json`, the counts."""

    type = "prompts"
    name = "prompts"

    def __init__(
        self, source: str, config: SourceConfig, units: tuple[Unit, ...], questions: PreparedIndex | None, folder: Path
    ) -> None:
        super().__init__()
        self._source = source
        self._config = config
        self._units = units
        self._questions = questions
        self._folder = folder

    def run(self, data: DocumentsPipeline = None, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        counts: Counter[str] = Counter()
        matches: list[dict[str, Any]] = []
        write_jsonl(shard_path(self._folder, rank), self._rows(self._units[rank], counts, matches))
        write_jsonl(_reports(self._folder) / f"{rank:05d}.jsonl", matches)
        write_json(counts_path(self._folder, rank), counts)
        yield from ()

    def _rows(self, unit: Unit, counts: Counter[str], matches: list[dict[str, Any]]) -> Iterator[Any]:
        search = Search(QuestionIndex.load(self._questions.path)) if self._questions is not None else None
        for place, made in self._prompts(unit, counts):
            match = search.match(made.row["prompt"]) if search is not None else None
            if match is not None:
                matches.append(report_row(place, match))
                continue
            yield {"key": made.key, "tests_left_out": made.tests_left_out, "row": made.row}

    def _prompts(self, unit: Unit, counts: Counter[str]) -> Iterator[tuple[str, PreparedPrompt]]:
        keep = Keep(self._config.keep)

        def bad_row(error: DataError) -> None:
            counts["rows"] += 1
            counts[f"{_DROPPED}bad row: {error.message}"[:200]] += 1

        for row in read_unit(unit, {self._source: self._config}, bad_row):
            counts["rows"] += 1
            try:
                reason = keep.drop_reason(row.values)
                if reason is None:
                    yield row.place, prompt_row(row.values, self._source, self._config)
            except NoPrompt as none:
                reason = none.reason
            except DataError as error:
                if self._config.bad_rows == "stop":
                    raise DataError(error.message, place=row.place, remedy=error.remedy) from None
                reason = f"bad row: {error.message}"[:200]
            if reason is not None:
                counts[_DROPPED + reason] += 1


_DROPPED = "dropped: "


def shard_path(folder: Path, unit: int) -> Path:
    return folder / "shards" / f"{unit:05d}.jsonl"


def counts_path(folder: Path, unit: int) -> Path:
    """Written last: where it is, the unit is whole."""
    return folder / "shards" / f"{unit:05d}.json"


def read_shard(folder: Path, unit: int) -> Iterator[PreparedPrompt]:
    """The prompts of a unit, in order."""
    for line in read_jsonl(shard_path(folder, unit)):
        yield PreparedPrompt(line["key"], line["row"], line["tests_left_out"])


def add_counts(folder: Path, units: int) -> tuple[int, dict[str, int], dict[str, Any]]:
    """Over all units: rows, rows dropped by reason, what decontamination dropped."""
    counts: Counter[str] = Counter()
    for unit in range(units):
        counts.update(read_json(counts_path(folder, unit)))
    dropped = {
        label.removeprefix(_DROPPED): count for label, count in sorted(counts.items()) if label.startswith(_DROPPED)
    }
    return counts["rows"], dropped, summarise(_reports(folder))


def _reports(folder: Path) -> Path:
    return folder / "decontamination"
