"""From raw files to cards: what each step kept and dropped, parts, draws, hold-out, and what is made again."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from data_prep import api
from data_prep.card import SourceCard
from data_prep.index import IndexedFile, bin_path
from data_prep.schema import DataConfig

WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau".split()


def text(number: int, length: int = 20) -> str:
    return " ".join([*random.Random(number).choices(WORDS, k=length), str(number)])


def write_rows(path: Path, rows: list[dict[str, Any]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def prepare(folder: Path, said: list[str] | None = None, **sources: dict[str, Any]) -> dict[str, SourceCard]:
    words = {"path": write_rows(folder / "words.jsonl", [{"text": text(n)} for n in range(400)])}
    config = DataConfig.model_validate(
        {
            "tokenizer": {"kind": "byte_level_bpe", "vocab_size": 400, "train_on": ["words"]},
            "sources": {"words": {**words, "decontaminate": False}, **sources},
            "decontamination": {
                "sets": {"exam": {"path": write_rows(folder / "exam.jsonl", [{"question": text(11)}])}},
            },
        }
    )
    log = (lambda line: None) if said is None else said.append
    return api.prepare(config, folder / "data", sources=sources, log=log)


def documents(folder: Path, name: str) -> list[str]:
    vocabulary = api.load_tokenizer(folder / "data" / "tokenizer.json")
    file = IndexedFile(folder / "data" / "sources" / name)
    return [vocabulary.decode(file[number][:-1].tolist()) for number in range(len(file))]


def counts(card: SourceCard, step: str) -> dict[str, int]:
    return next(one.counts for one in card.steps if one.step == step)


def test_the_card_says_what_every_step_dropped_and_why(tmp_path: Path) -> None:
    rows = [{"text": text(n), "score": n % 4} for n in range(40)]
    rows += [{"text": text(2), "score": 3}, {"text": text(11) + " more", "score": 3}, {"text": "pi", "score": 3}]
    rows += [{"text": 5, "score": 3}]
    path = write_rows(tmp_path / "raw" / "a.jsonl", rows)
    settings = {"keep": [{"column": "score", "at_least": 2}], "dedup": "exact", "min_tokens": 5, "bad_rows": "drop"}
    card = prepare(tmp_path, source={"path": path, **settings})["source"]
    assert counts(card, "read")["rows"] == 44
    assert counts(card, "keep")["dropped"] == 20
    assert counts(card, "format")["dropped"] == 1
    assert card.decontamination["dropped"] == 2  # number 11 itself, and the document that holds it
    assert counts(card, "dedup")["dropped"] == 1
    assert counts(card, "tokenise")["dropped"] == 1
    assert card.documents == 44 - 20 - 1 - 2 - 1 - 1 == len(documents(tmp_path, "source"))


def test_a_dropped_document_is_reported_with_the_question_that_it_holds(tmp_path: Path) -> None:
    rows = [{"text": text(n)} for n in range(15)]
    card = prepare(tmp_path, source={"path": write_rows(tmp_path / "raw" / "a.jsonl", rows)})["source"]
    report = tmp_path / "data" / "sources" / "source.decontamination.jsonl"
    [row] = map(json.loads, report.read_text().splitlines())
    assert row["document"].endswith("a.jsonl:12") and row["set"] == "exam" and row["kind"] == "exact"
    assert card.documents == 14


def test_a_source_of_parts_is_read_part_by_part_each_in_its_own_way(tmp_path: Path) -> None:
    chat = tmp_path / "chat"
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    write_rows(
        chat / "wildchat_1m" / "a.jsonl", [{"model": m, "conversation": turns} for m in ("gpt-4", "gpt-3.5-turbo")]
    )
    for part in ("math", "math_grade", "algebra", "code", "instruction_following"):
        write_rows(chat / f"tulu3_personas_{part}" / "a.jsonl", [{"messages": [*turns, *turns]}])
    write_rows(chat / "ultrachat_200k" / "data" / "train_sft-0.jsonl", [{"messages": turns, "prompt": "Hi"}])
    settings = {"card": "chat", "path": str(chat), "decontaminate": False}
    prepare(tmp_path, chat=settings)
    short, long = "User: Hi\nAssistant: Hello", "User: Hi\nAssistant: Hello\nUser: Hi\nAssistant: Hello"
    assert documents(tmp_path, "chat")[:2] == [short, long]
    assert documents(tmp_path, "chat")[1:6] == [long] * 5


def test_a_draw_takes_so_many_of_each_group_and_says_where_there_were_fewer(tmp_path: Path) -> None:
    for name, count in (("python", 200), ("cpp", 30)):
        write_rows(tmp_path / "raw" / name / "a.jsonl", [{"text": text(n), "id": f"{name}-{n}"} for n in range(count)])
    settings = {"sample": {"counts": {"python/*": 50, "cpp/*": 50}, "key": "id"}, "decontaminate": False}
    said: list[str] = []
    card = prepare(tmp_path, said, source={"path": str(tmp_path / "raw"), **settings})["source"]
    assert card.documents == 50 + 30
    assert any("cpp" in line and "30" in line for line in said)


def test_documents_held_out_are_in_a_file_of_their_own_and_nowhere_else(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "raw" / "a.jsonl", [{"text": text(n)} for n in range(300)])
    card = prepare(tmp_path, source={"path": path, "holdout": 0.2, "decontaminate": False})["source"]
    held_out = (tmp_path / "data" / "sources" / "source.heldout.jsonl").read_text().splitlines()
    texts = {json.loads(line)["text"] for line in held_out}
    assert 30 < len(texts) == card.held_out_documents
    assert texts | set(documents(tmp_path, "source")) == {text(n) for n in range(300)}
    assert not texts & set(documents(tmp_path, "source"))


def test_a_damaged_file_is_made_again_and_a_whole_one_is_not(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "raw" / "a.jsonl", [{"text": text(n)} for n in range(30)])
    source = {"path": path, "decontaminate": False}
    prepare(tmp_path, source=source)
    tokens = bin_path(tmp_path / "data" / "sources" / "source")
    whole = tokens.read_bytes()
    said: list[str] = []
    prepare(tmp_path, said, source=source)
    assert any(line.startswith("source: unchanged") for line in said)
    tokens.write_bytes(whole[:-2] + b"\x01\x00")
    prepare(tmp_path, said, source=source)
    assert said[-1].startswith("source: 30 documents")
    assert tokens.read_bytes() == whole


@pytest.mark.parametrize("change", [{"min_tokens": 3}, {"end_of_document": False}, {"dedup": "exact"}])
def test_changed_settings_make_a_source_again(tmp_path: Path, change: dict[str, Any]) -> None:
    source = {"path": write_rows(tmp_path / "raw" / "a.jsonl", [{"text": text(n)} for n in range(30)])}
    prepare(tmp_path, source=source)
    said: list[str] = []
    prepare(tmp_path, said, source={**source, **change})
    assert not any("unchanged" in line for line in said if line.startswith("source"))
    assert not list((tmp_path / "data" / "sources" / ".work").iterdir())
