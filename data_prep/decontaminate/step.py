"""Decontamination as a datatrove step, with a report of what it dropped and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from data_prep.decontaminate.index import DecontaminationIndex
from data_prep.decontaminate.questions import read_questions
from data_prep.errors import DataError
from data_prep.files import read_jsonl, write_jsonl
from data_prep.schema.decontamination import DecontaminationConfig


@dataclass(frozen=True)
class PreparedIndex:
    """An index on disk."""

    path: Path
    fingerprint: str
    questions: int
    left_out: int


def prepare_index(config: DecontaminationConfig, folder: Path) -> PreparedIndex | None:
    """Indexes the evaluation sets into `folder`; None when there are none.

    Raises:
        DataError: a set can't be read, or has no question.
    """
    if not config.sets:
        return None
    index = DecontaminationIndex.build(read_questions(config.sets), config.ngram)
    if not index.questions:
        raise DataError("no question to keep out", place="data.decontamination", remedy="correct the paths of the sets")
    return PreparedIndex(index.save(folder), index.fingerprint, len(index.questions), index.left_out)


class Decontaminate(PipelineStep):  # type: ignore[misc]
    """Drops documents that hold a question of the index; reports them to `<reports>/<unit>.jsonl`.

    A row of the report: document (its id), set, question (its id), kind, words, answer.
    """

    type = "decontamination"
    name = "decontaminate"

    def __init__(self, index: Path, reports: Path) -> None:
        super().__init__()
        self._index = index
        self._reports = reports

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        index = DecontaminationIndex.load(self._index)
        rows: list[dict[str, Any]] = []
        for document in data:
            match = index.match(document.text)
            if match is None:
                yield document
                continue
            rows.append({"document": document.id, **asdict(match)})
            self.stat_update("dropped", f"dropped: {match.set} {match.kind}")
        write_jsonl(self._reports / f"{rank:05d}.jsonl", rows)


def summarise(reports: Path) -> dict[str, Any]:
    """{"dropped": documents, "sets": {set: {"exact": n, "ngram": n, "questions": distinct ones}}} of all units."""
    kinds: dict[str, Counter[str]] = {}
    questions: dict[str, set[str]] = {}
    for file in sorted(reports.glob("*.jsonl")):
        for row in read_jsonl(file):
            kinds.setdefault(row["set"], Counter())[row["kind"]] += 1
            questions.setdefault(row["set"], set()).add(row["question"])
    sets = {
        name: {"exact": kinds[name]["exact"], "ngram": kinds[name]["ngram"], "questions": len(questions[name])}
        for name in sorted(kinds)
    }
    return {"dropped": sum(count.total() for count in kinds.values()), "sets": sets}
