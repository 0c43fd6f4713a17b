"""What is shown of documents and of rows."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.dataset import ChunkRows, Chunks, PackRows, TrainingRow
from data_prep.errors import DataError
from data_prep.index import IndexWriter
from data_prep.look import Shown, escaped, show_documents, show_row
from data_prep.pack import PackSettings, pack_source
from data_prep.schema import TokenizerConfig
from data_prep.tokenizer import Vocabulary, train_tokenizer

TEXTS = ["one two", "three", "größer als 日本", "one three two one"]
END = Shown("end", "<eos>")
BOUNDARY = Shown("boundary")


@pytest.fixture(scope="module", params=["byte_level_bpe", "word_level"])
def vocabulary(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    train_tokenizer(TokenizerConfig.model_validate({"kind": request.param, "vocab_size": 270}), TEXTS, path)
    return Vocabulary(path, "<eos>")


@pytest.fixture
def prefix(vocabulary: Vocabulary, tmp_path: Path) -> Path:
    with IndexWriter(tmp_path / "source", vocabulary.vocab_size) as writer:
        for text in TEXTS:
            writer.add([*vocabulary.encode(text), vocabulary.end_of_document_id])
    return tmp_path / "source"


def test_every_document_is_shown_once_with_its_end(vocabulary: Vocabulary, prefix: Path) -> None:
    shown = dict(show_documents(prefix, vocabulary, 9, seed=1))
    assert shown == {number: [Shown("text", text), END] for number, text in enumerate(TEXTS)}
    assert list(dict(show_documents(prefix, vocabulary, 2, seed=1))) == list(shown)[:2]
    orders = {tuple(dict(show_documents(prefix, vocabulary, 9, seed=seed))) for seed in range(9)}
    assert len(orders) > 3


def test_pieces_of_a_pack_are_parted(vocabulary: Vocabulary, prefix: Path, tmp_path: Path) -> None:
    pack_source(prefix, tmp_path / "packed", PackSettings(512))
    ((_, shown),) = show_documents(tmp_path / "packed", vocabulary, 9, seed=1)
    assert shown.count(BOUNDARY) == len(TEXTS) - 1
    assert {part.text for part in shown if part.kind == "text"} == set(TEXTS)


def test_a_row_of_concatenated_documents_counts_all_but_its_first_token(vocabulary: Vocabulary, tmp_path: Path) -> None:
    with IndexWriter(tmp_path / "source", vocabulary.vocab_size) as writer:
        for text in filter(str.isascii, TEXTS):  # a row may begin inside of a longer character
            writer.add([*vocabulary.encode(text), vocabulary.end_of_document_id])
    chunks = Chunks(tmp_path / "source", "source", 12, seed=1)
    for sample in range(9):
        row = ChunkRows(chunks, vocabulary.end_of_document_id, documents_apart=False, loss_on_end=True)[sample]
        shown = show_row(row, vocabulary)
        assert counted(shown, vocabulary) == row.labels.tolist()


@pytest.mark.parametrize("apart", [False, True])
def test_without_loss_on_the_end_token_the_next_documents_first_token_does_not_count(
    vocabulary: Vocabulary, apart: bool
) -> None:
    end = vocabulary.end_of_document_id
    one, two = vocabulary.encode("one two"), vocabulary.encode("three")
    tokens = np.array([*one, end, *two, end, *one])
    row = TrainingRow(
        tokens[:-1], tokens[1:], tokens[:-1] != end, np.array([len(one) + 1, len(tokens) - 1]) if apart else None
    )
    shown = show_row(row, vocabulary)
    assert shown[0].counts is False
    starts = [part for before, part in pairwise(shown) if before == BOUNDARY]
    assert starts and not any(part.counts for part in starts)
    assert "".join(part.text for part in shown if part.kind == "text").replace(" ", "") == "onetwothreeonetwo"


def test_a_row_of_packs_counts_no_piece_s_first_token_and_no_padding(
    vocabulary: Vocabulary, prefix: Path, tmp_path: Path
) -> None:
    report = pack_source(prefix, tmp_path / "packed", PackSettings(64))
    rows = PackRows(tmp_path / "packed", "source", 64, vocabulary.end_of_document_id, seed=1)
    for sample in range(report.packs):
        row = rows[sample]
        assert row.mask is not None and row.ends is not None
        shown = show_row(row, vocabulary)
        assert shown.count(BOUNDARY) == len(row.ends) - 1
        assert counted(shown, vocabulary) == row.labels[row.mask].tolist()
        padding = 64 - int(np.flatnonzero(row.mask)[-1]) - 2
        assert shown[-1] == Shown("end", "<eos>", counts=False, times=padding)


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    path = tmp_path_factory.mktemp("byte_level") / "tokenizer.json"
    train_tokenizer(TokenizerConfig.model_validate({"kind": "byte_level_bpe", "vocab_size": 270}), TEXTS, path)
    return Vocabulary(path, "<eos>")


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet="one größer日本🦆\n", min_size=1, max_size=20), data=st.data())
def test_no_character_is_lost_or_said_twice_where_counting_begins_and_ends(
    byte_level: Vocabulary, text: str, data: st.DataObject
) -> None:
    tokens = np.array(byte_level.encode(text))
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(tokens), max_size=len(tokens))))
    mask[-1] = False  # or its label would be shown too
    shown = show_row(TrainingRow(tokens, np.roll(tokens, -1), mask, None), byte_level)
    assert "".join(part.text for part in shown) == text
    if not mask.any():
        assert not any(part.counts for part in shown)


def test_a_token_that_the_vocabulary_lacks_is_named(vocabulary: Vocabulary, tmp_path: Path) -> None:
    with IndexWriter(tmp_path / "other", 60_000) as writer:
        writer.add([1, 50_000])
    with pytest.raises(DataError, match=rf"token 50000, the vocabulary has {vocabulary.vocab_size}"):
        list(show_documents(tmp_path / "other", vocabulary, 1, seed=1))


def counted(shown: list[Shown], vocabulary: Vocabulary) -> list[int]:
    """Tokens of what counts."""
    tokens: list[int] = []
    for part in shown:
        if part.counts and part.kind == "text":
            tokens += vocabulary.encode(part.text)
        elif part.counts and part.kind == "end":
            tokens += [vocabulary.end_of_document_id] * part.times
    return tokens


@settings(max_examples=200)
@given(st.text())
def test_escaped_text_moves_no_cursor_and_hides_nothing(text: str) -> None:
    shown = escaped(text)
    assert shown.replace("\n", "").isprintable()
    assert shown.count("\n") == text.count("\n")
    if text.isprintable():
        assert shown == text


def test_escapes_say_which_character_it_was() -> None:
    assert escaped("a\x1b[2J\tb\r\n‮c\u200bé日🦆\ud800") == "a\\x1b[2J\\tb\\r\n\\u202ec\\u200bé日🦆\\ud800"
