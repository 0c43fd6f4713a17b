"""Blends: forecast, locks, and what training refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_prep import api
from data_prep.blend.plan import check_epochs, plan_blend
from data_prep.errors import DataError, GateRefused
from data_prep.schema import DataConfig

CONFIG = DataConfig.model_validate(
    {
        "tokenizer": {"kind": "word_level"},
        "sources": {
            "red": {"path": "red.jsonl", "domain": "general", "holdout": 0.2},
            "blue": {"path": "blue.jsonl", "domain": "math"},
        },
        "blends": {"both": {"red": 25, "blue": 75}},
    }
)


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("red", "blue"):
        rows = ({"text": f"{name} word number {number % 7}"} for number in range(200))
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    api.prepare(CONFIG, tmp_path / "data", log=lambda line: None)
    return tmp_path / "data"


def test_the_papers_small_sources_are_repeated_about_three_and_four_times() -> None:
    # Figure 2 and Table 1: MoT science in math_code_science, MoT math in math_code, at 26.2B tokens.
    planned = plan_blend(
        "paper",
        {"science": 4.75, "math": 10},
        {"science": 420_000_000, "math": 600_000_000},
        {"science": "s", "math": "m"},
        26_214_400_000,
    )
    assert [round(source.epochs, 1) for source in planned.sources] == [3.0, 4.4]


def test_a_blend_that_repeats_too_often_is_refused_with_what_would_do(prepared: Path) -> None:
    planned = api.plan(CONFIG, prepared, "both", 5_000)
    with pytest.raises(GateRefused, match=r"more than 1\.5 times.*Remedy"):
        check_epochs(planned, max_epochs=1.5)


def test_a_lock_is_verified_and_names_the_file_that_changed(prepared: Path) -> None:
    path = api.lock(CONFIG, prepared, "both", 1_000, seed=3)
    lock = api.verify(path)
    assert [(source.name, source.weight_percent) for source in lock.sources] == [("red", 25), ("blue", 75)]
    with (prepared / "sources" / "blue.bin").open("r+b") as handle:
        handle.write(b"\x01")
    with pytest.raises(DataError, match=r"blue\.bin.*the file changed"):
        api.verify(path)


def test_a_lock_that_was_edited_is_refused(prepared: Path) -> None:
    path = api.lock(CONFIG, prepared, "both", 1_000, seed=3)
    path.write_text(path.read_text().replace('"weight_percent": 25', '"weight_percent": 26'))
    with pytest.raises(DataError, match="edited"):
        api.verify(path)


def test_a_lock_of_another_release_is_refused(prepared: Path) -> None:
    path = api.lock(CONFIG, prepared, "both", 1_000, seed=3)
    path.write_text(path.read_text().replace('"schema_version": 2', '"schema_version": 9'))
    with pytest.raises(DataError, match="schema_version 9"):
        api.verify(path)


def test_held_out_documents_are_not_trained_on(prepared: Path) -> None:
    held_out = {row["text"] for row in map(json.loads, (prepared / "sources" / "red.heldout.jsonl").open())}
    vocabulary = api.load_tokenizer(prepared / "tokenizer.json")
    from data_prep.index import IndexedFile

    trained = IndexedFile(prepared / "sources" / "red")
    texts = {vocabulary.decode(trained[index][:-1].tolist()) for index in range(len(trained))}
    assert held_out and texts and not held_out & texts


def test_an_unchanged_source_is_left_alone_and_a_changed_one_is_not(prepared: Path) -> None:
    said: list[str] = []
    api.prepare(CONFIG, prepared, log=said.append)
    assert any(line.startswith("red: unchanged") for line in said)
    Path("red.jsonl").write_text(json.dumps({"text": "red word number 1"}) + "\n")
    said.clear()
    api.prepare(CONFIG, prepared, log=said.append)
    assert any(line.startswith("red: 1 documents") for line in said)
