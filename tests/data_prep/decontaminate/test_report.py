"""The step drops, counts and reports; the sets are read from any column."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from datatrove.data import Document

from data_prep.decontaminate import Decontaminate, PreparedIndex, prepare_index, read_questions, summarise
from data_prep.errors import DataError
from data_prep.files import read_jsonl
from data_prep.schema.decontamination import DecontaminationConfig, EvaluationSet

FARM = "If a farmer sells 12 eggs a day at 2 dollars each how much does she earn in one week of work"
ODD = "Evaluate the sum of the first 100 odd numbers"


def config(folder: Path, ngram: int = 13, **columns: str) -> DecontaminationConfig:
    rows = [{"question": FARM, "answer": 168}, {"question": ODD, "answer": "10000"}]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return DecontaminationConfig(sets={"farm": EvaluationSet(path=str(folder / "test.jsonl"), **columns)}, ngram=ngram)


def prepared(folder: Path, **columns: str) -> PreparedIndex:
    index = prepare_index(config(folder, **columns), folder / "index")
    assert index is not None
    return index


def run(step: Decontaminate, rank: int, texts: list[str]) -> list[str]:
    documents = (Document(text=text, id=f"{rank}/{at}") for at, text in enumerate(texts))
    return [document.id for document in step.run(documents, rank, 3)]


def test_contaminated_documents_are_dropped_counted_and_reported(tmp_path: Path) -> None:
    step, reports = Decontaminate(prepared(tmp_path), tmp_path / "reports"), tmp_path / "reports"

    assert run(step, 0, ["clean", f"so {FARM.upper()}?", "clean too"]) == ["0/0", "0/2"]
    assert run(step, 1, []) == []
    assert run(step, 12, [" ".join(FARM.split()[:15]), f"{ODD}.", ODD]) == []

    assert sorted(file.name for file in reports.iterdir()) == ["00000.jsonl", "00001.jsonl", "00012.jsonl"]
    whole = {"document": "0/1", "set": "farm", "question": "test.jsonl:1", "kind": "exact", "words": FARM.lower()}
    assert list(read_jsonl(reports / "00000.jsonl")) == [whole]
    rows = list(read_jsonl(reports / "00012.jsonl"))
    assert [(row["document"], row["kind"]) for row in rows] == [("12/0", "ngram"), ("12/1", "exact"), ("12/2", "exact")]
    assert rows[0]["words"] == " ".join(FARM.lower().split()[:13])
    assert summarise(reports) == {
        "dropped": 4,
        "by_set": {"farm": {"exact": 3, "ngram": 1}},
        "examples": [whole, *rows],
    }
    counts = {label: count.total for label, count in step.stats.stats.items()}
    assert (counts["dropped"], counts["dropped: farm (exact)"], counts["dropped: farm (ngram)"]) == (4, 3, 1)


def test_a_second_run_overwrites_its_report_with_the_same(tmp_path: Path) -> None:
    index, reports = prepared(tmp_path), tmp_path / "reports"
    texts = ["clean", FARM, f"about {ODD} and more"]
    run(Decontaminate(index, reports), 0, texts)
    first = (reports / "00000.jsonl").read_bytes()
    run(Decontaminate(index, reports), 0, texts)
    assert (reports / "00000.jsonl").read_bytes() == first
    run(Decontaminate(index, reports), 0, ["clean"])
    assert summarise(reports)["dropped"] == 0


def test_a_run_that_stops_leaves_no_report(tmp_path: Path) -> None:
    stream = Decontaminate(prepared(tmp_path), tmp_path / "reports").run(
        iter([Document(text=text, id=text) for text in (FARM, "clean", "more")]), 0, 1
    )
    assert next(stream).id == "clean"
    stream.close()
    assert not (tmp_path / "reports").exists()


def test_documents_pass_as_they_are(tmp_path: Path) -> None:
    document = Document(text="  Left AS it is\n", id="x", metadata={"a": 1})
    step = Decontaminate(prepared(tmp_path), tmp_path / "reports")
    assert list(step.run(iter([document]), 7, 8)) == [document]
    assert document == Document(text="  Left AS it is\n", id="x", metadata={"a": 1})


def test_the_step_stays_small_when_it_has_run(tmp_path: Path) -> None:
    step = Decontaminate(prepared(tmp_path), tmp_path / "reports")
    run(step, 0, [FARM])
    assert len(pickle.dumps(step)) < 4_000


def test_the_index_is_made_once_and_again_when_something_changes(tmp_path: Path) -> None:
    first = prepared(tmp_path)
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "index").iterdir()}
    assert prepared(tmp_path) == first
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "index").iterdir()} == before
    other = prepare_index(config(tmp_path, ngram=8), tmp_path / "index")
    assert other is not None and other.fingerprint != first.fingerprint and other.path != first.path


def test_no_set_means_no_index(tmp_path: Path) -> None:
    assert prepare_index(DecontaminationConfig(), tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    assert summarise(tmp_path) == {"dropped": 0, "by_set": {}, "examples": []}


def test_an_answer_is_reported_where_its_column_is_named(tmp_path: Path) -> None:
    step = Decontaminate(prepared(tmp_path, answer="answer"), tmp_path / "reports")
    run(step, 0, [FARM])
    assert next(read_jsonl(tmp_path / "reports/00000.jsonl"))["answer"] == "168"


def test_a_question_is_read_from_any_column_of_a_parquet_file(tmp_path: Path) -> None:
    table = pa.table({"text": ["t"], "problem": [FARM], "meta": [{"answer": "4"}]})
    parquet.write_table(table, tmp_path / "test.parquet")
    found = list(read_questions({"set": EvaluationSet(path=str(tmp_path), question="problem", answer="meta.answer")}))
    assert [(question.text, question.answer) for question in found] == [(FARM, "4")]


@pytest.mark.parametrize(
    "columns, message",
    [
        ({"question": "prompt"}, r"test\.jsonl:1: no column 'prompt'.*sets\.farm\.question \(here: question, answer\)"),
        ({"answer": "solution"}, r"test\.jsonl:1: no column 'solution'.*data\.decontamination\.sets\.farm\.answer"),
        ({"question": "answer"}, r"test\.jsonl:1: column 'answer'.*found int.*data\.decontamination\.sets\.farm"),
    ],
)
def test_a_wrong_column_is_refused_by_row_and_key(tmp_path: Path, columns: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepare_index(config(tmp_path, **columns), tmp_path / "index")


def test_a_missing_or_empty_set_is_named(tmp_path: Path) -> None:
    for name in ("nowhere.jsonl", "empty.jsonl"):
        (tmp_path / "empty.jsonl").write_text("")
        with pytest.raises(DataError, match=name):
            prepare_index(
                DecontaminationConfig(sets={"gone": EvaluationSet(path=str(tmp_path / name))}), tmp_path / "index"
            )
