"""Tokenizers trained on the sources."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.errors import DataError
from data_prep.schema import TokenizerConfig
from data_prep.tokenizer import Vocabulary, copy_tokenizer, train_tokenizer

TEXTS = ["the cat sat on the mat", "def f(x):\n    return x + 1\n", "naïve café – 数学"] * 5


def trained(kind: str, path: Path) -> Vocabulary:
    train_tokenizer(TokenizerConfig.model_validate({"kind": kind, "vocab_size": 300}), TEXTS, path)
    return Vocabulary(path, "<eos>")


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    return trained("byte_level_bpe", tmp_path_factory.mktemp("bpe") / "tokenizer.json")


@pytest.mark.parametrize("kind", ["word_level", "byte_level_bpe"])
def test_training_twice_gives_the_same_file(tmp_path: Path, kind: str) -> None:
    first, second = trained(kind, tmp_path / "a.json"), trained(kind, tmp_path / "b.json")
    assert first.sha256 == second.sha256


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_byte_level_tokens_give_any_text_back(byte_level: Vocabulary, text: str) -> None:
    assert byte_level.decode(byte_level.encode(text)) == text


def test_a_word_that_no_source_has_is_an_error_that_quotes_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the dog"):
        trained("word_level", tmp_path / "t.json").encode("the dog")


def test_any_tokenizer_file_can_be_taken(tmp_path: Path, byte_level: Vocabulary) -> None:
    config = TokenizerConfig(kind="file", path=str(byte_level.path))
    copy_tokenizer(config, tmp_path / "tokenizer.json")
    assert Vocabulary(tmp_path / "tokenizer.json", "<eos>").vocab_size == byte_level.vocab_size


def test_a_file_without_the_end_of_document_token_is_refused(tmp_path: Path, byte_level: Vocabulary) -> None:
    config = TokenizerConfig(kind="file", path=str(byte_level.path), end_of_document="<|end|>")
    with pytest.raises(DataError, match="<\\|end\\|>"):
        copy_tokenizer(config, tmp_path / "tokenizer.json")
