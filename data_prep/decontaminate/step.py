"""Decontamination as a datatrove step, with a report of what it dropped and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from data_prep.decontaminate.index import QuestionIndex
from data_prep.decontaminate.questions import read_questions
from data_prep.decontaminate.search import Match, Search
from data_prep.errors import DataError
from data_prep.files import read_jsonl, write_jsonl
from data_prep.schema.decontamination import DecontaminationConfig

_EXAMPLES = 5


@dataclass(frozen=True)
class PreparedIndex:
    """An index on disk; `fingerprint` changes with the questions, the n-gram and the rules of the search."""

    path: Path
    fingerprint: str


def prepare_index(config: DecontaminationConfig, folder: Path) -> PreparedIndex | None:
    """Indexes the evaluation sets into `folder`, unless that is done; None when there are no sets.

    Raises:
        DataError: a set can't be read, or has no question.
    """
    if not config.sets:
        return None
    questions = list(read_questions(config.sets))
    for name in config.sets:
        if not any(question.set == name for question in questions):
            raise DataError(
                "no question to keep out", place=config.sets[name].path, remedy=f"correct decontamination.sets.{name}"
            )
    index = QuestionIndex.build(questions, config.ngram)
    return PreparedIndex(index.save(folder), index.fingerprint)


class Decontaminate(PipelineStep):  # type: ignore[misc]
    """Drops documents that hold a question of the index; `<reports>/<unit>.jsonl` says which and why.

    A row of a report: document (its id), set, question (its place in the set), kind (exact or ngram), words (those
    found, as the document writes them), and the answer where the set names its column.
    """

    type = "decontamination"
    name = "decontaminate"

    def __init__(self, index: PreparedIndex, reports: Path) -> None:
        super().__init__()
        self._index = index
        self._reports = reports

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        search = Search(QuestionIndex.load(self._index.path))  # here: a step that is sent to a worker stays small
        rows: list[dict[str, Any]] = []
        for document in data:
            match = search.match(document.text)
            if match is None:
                yield document
                continue
            rows.append(report_row(document.id, match))
            self.stat_update("dropped", f"dropped: {match.set} ({match.kind})")
        write_jsonl(self._reports / f"{rank:05d}.jsonl", rows)


def summarise(reports: Path) -> dict[str, Any]:
    """{"dropped": documents, "by_set": {set: {kind: documents}}, "examples": the first few rows} over all units."""
    by_set: dict[str, Counter[str]] = {}
    examples: list[dict[str, Any]] = []
    for file in sorted(reports.glob("*.jsonl")):
        for row in read_jsonl(file):
            by_set.setdefault(row["set"], Counter())[row["kind"]] += 1
            if len(examples) < _EXAMPLES:
                examples.append(row)
    return {
        "dropped": sum(kinds.total() for kinds in by_set.values()),
        "by_set": {name: dict(sorted(by_set[name].items())) for name in sorted(by_set)},
        "examples": examples,
    }


def report_row(document: str, match: Match) -> dict[str, Any]:
    """A line of a report; see `Decontaminate`."""
    row = {
        "document": document,
        "set": match.set,
        "question": match.question,
        "kind": match.kind,
        "words": match.words,
    }
    return row if match.answer is None else {**row, "answer": match.answer}
