"""What verification finds in a prepared folder, and what it names."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep import api
from data_prep.index import IndexedFile, IndexWriter, merge_indexes
from data_prep.look import verify_pair
from data_prep.schema import SourceConfig
from tests.data_prep.look.conftest import Prepared

PACK = "pack-128"


def flip(path: Path, place: int) -> None:
    """Changes one bit."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def edit(path: Path, change: Callable[[dict[str, object]], None]) -> None:
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values, indent=1))


def test_a_whole_folder_is_listed_without_an_error(prepared_once: Prepared) -> None:
    findings = prepared_once.verify()
    assert [finding.error for finding in findings] == [None] * len(findings)
    assert {(finding.kind, finding.name) for finding in findings} == {
        *(("source", name) for name in ("red", "blue", "open")),
        *(("pack", f"{name}.{PACK}") for name in ("red", "blue", "open")),
        ("lock", "two"),
        ("lock", f"all.{PACK}"),
        ("order", "two"),
    }
    said = {finding.name: finding.summary for finding in findings if finding.kind == "source"}
    file = IndexedFile(prepared_once.directory / "sources" / "red")
    assert said["red"].startswith(f"{file.documents:,} documents, {file.tokens:,} tokens (uint16); hashes")
    assert "60 without an end token" in said["open"]


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("sources/red.bin", {("source", "red"), ("lock", "two")}),
        ("sources/red.idx", {("source", "red"), ("lock", "two")}),
        (f"sources/red.{PACK}.bin", {("pack", f"red.{PACK}"), ("lock", f"all.{PACK}")}),
        (f"sources/red.{PACK}.idx", {("pack", f"red.{PACK}"), ("lock", f"all.{PACK}")}),
        ("blends/two.lock.json", {("lock", "two")}),
    ],
)
def test_one_flipped_bit_is_found_wherever_it_is(prepared: Prepared, file: str, named: set[tuple[str, str]]) -> None:
    path = prepared.directory / file
    stream = random.Random(file)
    for place in (0, path.stat().st_size - 1, *(stream.randrange(path.stat().st_size) for _ in range(8))):
        flip(path, place)
        wrong = prepared.wrong()
        assert set(wrong) == named, place
        assert all(path.name in error and "Remedy" in error for error in wrong.values())
        flip(path, place)
    assert not prepared.wrong()


def test_an_edited_order_is_found(prepared: Prepared) -> None:
    (path,) = (prepared.directory / "blends" / "orders").glob("*[0-9a-f].npy")
    size = path.stat().st_size
    for place in (0, 70, size - 1):
        flip(path, place)
        assert set(prepared.wrong()) == {("order", "two")}
        flip(path, place)
    assert not prepared.wrong()


def cut_bin(prepared: Prepared, prefix: Path) -> None:
    path = prefix.with_name(f"{prefix.name}.bin")
    path.write_bytes(path.read_bytes()[:-2])


def drop_last_pack(prepared: Prepared, prefix: Path) -> None:
    """Writes the pack anew, whole in itself, without its last document."""
    file = IndexedFile(prefix)
    with IndexWriter(prefix.with_name("shorter"), 300) as writer:
        for number in range(file.documents - 1):
            writer.add_document(file.document(number))
    merge_indexes([prefix.with_name("shorter")], prefix)
    for ending in ("bin", "idx"):
        prefix.with_name(f"shorter.{ending}").unlink()


@pytest.mark.parametrize("damage", [cut_bin, drop_last_pack])
def test_a_pack_that_was_cut_is_named(prepared: Prepared, damage: Callable[[Prepared, Path], None]) -> None:
    damage(prepared, prepared.directory / "sources" / f"blue.{PACK}")
    wrong = prepared.wrong()
    assert set(wrong) == {("pack", f"blue.{PACK}"), ("lock", f"all.{PACK}")}
    assert f"blue.{PACK}.bin: the file changed: " in wrong["pack", f"blue.{PACK}"]


def test_another_tokenizer_is_named_for_every_source_and_lock(prepared: Prepared) -> None:
    path = prepared.directory / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["model"]["merges"].pop()
    path.write_text(json.dumps(tokenizer))
    wrong = prepared.wrong()
    assert {name for kind, name in wrong if kind == "source"} == {"red", "blue", "open"}
    assert {name for kind, name in wrong if kind == "lock"} == {"two", f"all.{PACK}"}
    assert all("tokeni" in error for error in wrong.values())


def test_an_edited_lock_is_named(prepared: Prepared) -> None:
    edit(prepared.directory / "blends" / "two.lock.json", lambda lock: lock.update(seed=2))
    assert "edited by hand" in prepared.wrong()["lock", "two"]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("documents", 1, "it says 1, "),
        ("tokens", 5, "it says 60, 5, the files hold 60, "),
        ("bin", [], "red.bin: the file changed"),
        ("bin", None, "red.card.json: not a source's card"),
        ("schema_version", 0, "red.card.json: schema_version 0"),
    ],
)
def test_an_edited_card_is_named(prepared: Prepared, key: str, value: object, said: str) -> None:
    edit(prepared.directory / "sources" / "red.card.json", lambda card: card.update({key: value}))
    wrong = prepared.wrong()
    assert set(wrong) == {("source", "red")}
    assert said in wrong["source", "red"]


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        ("red.bin", {("source", "red"), ("lock", "two")}),
        ("red.card.json", {("files", "red")}),
        (f"red.{PACK}.pack.json", {("files", f"red.{PACK}")}),
    ],
)
def test_a_missing_file_is_named(prepared: Prepared, gone: str, named: set[tuple[str, str]]) -> None:
    (prepared.directory / "sources" / gone).unlink()
    assert set(prepared.wrong()) == named


def test_documents_that_should_end_and_do_not_are_an_error(prepared: Prepared) -> None:
    sources = {**prepared.config.sources, "open": SourceConfig(path="open.jsonl")}
    changed = Prepared(prepared.config.model_copy(update={"sources": sources}), prepared.directory)
    assert "60 documents don't end with <eos>" in changed.wrong()["source", "open"]


def test_a_source_that_was_never_prepared_is_said_to_be_so(prepared: Prepared) -> None:
    sources = {**prepared.config.sources, "later": SourceConfig(path="later.jsonl")}
    changed = Prepared(prepared.config.model_copy(update={"sources": sources}), prepared.directory)
    assert ("later", "not prepared") in {(finding.name, finding.summary) for finding in changed.verify()}
    assert not changed.wrong()


def test_a_pair_of_somebody_else_is_checked_with_and_without_a_tokenizer(prepared: Prepared, tmp_path: Path) -> None:
    vocabulary = api.load_tokenizer(prepared.directory / "tokenizer.json")
    with IndexWriter(tmp_path / "theirs", 0, dtype=np.dtype(np.int32)) as writer:
        writer.add_document([[1, 2], [3, vocabulary.end_of_document_id]])
        writer.add([4_000])
    finding = verify_pair(tmp_path / "theirs")
    assert finding.error is None
    assert finding.summary.startswith("2 documents, 5 tokens (int32), 3 sequences; range of tokens not checked")
    checked = verify_pair(tmp_path / "theirs", vocabulary)
    assert checked.error is not None
    assert f"theirs.bin: token 4 is 4000, not one of the {vocabulary.vocab_size}" in checked.error
    missing = verify_pair(tmp_path / "missing")
    assert missing.error is not None and "no .bin/.idx pair" in missing.error
