"""Files of datatrove's Megatron tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest
from datatrove.data import Document
from datatrove.pipeline.tokens.megatron_tokenizer import MegatronDocumentTokenizer

from data_prep.index import IndexedFile, IndexWriter, bin_path, idx_path
from data_prep.index.validate import validate_index
from data_prep.schema import TokenizerConfig
from data_prep.tokenizer import Vocabulary, train_tokenizer

TEXTS = ["what is read is what was written", "a second text", "", "and the last one, with 12 numbers: 345"]


@pytest.mark.parametrize("kind", ["byte_level_bpe", "word_level"])
def test_what_datatrove_writes_is_validated_and_is_what_our_writer_writes(tmp_path: Path, kind: str) -> None:
    words = " ".join(f"w{number}" for number in range(66_000)) if kind == "word_level" else ""
    config = TokenizerConfig.model_validate({"kind": kind, "vocab_size": 300})
    train_tokenizer(config, [*TEXTS, words], tmp_path / "tokenizer.json")
    vocabulary = Vocabulary(tmp_path / "tokenizer.json", "<eos>")

    step = MegatronDocumentTokenizer(str(tmp_path), tokenizer_name_or_path=str(vocabulary.path), eos_token="<eos>")
    documents = (Document(text=text, id=str(number)) for number, text in enumerate(TEXTS))
    for _ in step.run(documents) or ():
        pass
    theirs = tmp_path / "00000_tokens"

    expected = [[*vocabulary.encode(text), vocabulary.end_of_document_id] for text in TEXTS]
    report = validate_index(theirs, vocab_size=vocabulary.vocab_size, end_id=vocabulary.end_of_document_id)
    assert (report.documents, report.tokens) == (len(TEXTS), sum(map(len, expected)))
    assert report.documents_without_end == 0
    assert report.token_type == ("int32" if kind == "word_level" else "uint16")
    file = IndexedFile(theirs)
    assert [file[index].tolist() for index in range(len(file))] == expected
    with IndexWriter(tmp_path / "ours", vocabulary.vocab_size) as writer:
        for tokens in expected:
            writer.add(tokens)
    for path in (bin_path, idx_path):
        assert path(tmp_path / "ours").read_bytes() == path(theirs).read_bytes()
