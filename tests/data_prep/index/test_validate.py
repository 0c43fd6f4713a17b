"""What validation counts, and what it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.errors import DataError
from data_prep.index import IndexWriter, bin_path, idx_path
from data_prep.index.format import HEADER_BYTES, header
from data_prep.index.validate import IndexReport, validate_index

END = 0


def write(prefix: Path, documents: list[list[list[int]]]) -> Path:
    with IndexWriter(prefix, 100) as writer:
        for pieces in documents:
            writer.add_document(pieces)
    return prefix


def by_hand(prefix: Path, lengths: list[int], offsets: list[int], bounds: list[int], tokens: list[int]) -> Path:
    """Writes an index that no writer would."""
    entries = np.array(lengths, np.int32).tobytes() + np.array([*offsets, *bounds], np.int64).tobytes()
    idx_path(prefix).write_bytes(header(np.dtype(np.int32), len(lengths), len(bounds)) + entries)
    bin_path(prefix).write_bytes(np.array(tokens, np.int32).tobytes())
    return prefix


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.lists(st.integers(0, 5), max_size=4), max_size=3), max_size=6), st.integers(1, 5))
def test_the_report_counts_what_the_documents_hold(
    tmp_path_factory: pytest.TempPathFactory, documents: list[list[list[int]]], block: int
) -> None:
    prefix = write(tmp_path_factory.mktemp("validate") / "source", documents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("data_prep.index.validate._BLOCK", block)
        report = validate_index(prefix, vocab_size=6, end_id=END)
    joined = [[token for piece in pieces for token in piece] for pieces in documents]
    assert report == IndexReport(
        documents=len(documents),
        sequences=sum(map(len, documents)),
        tokens=sum(map(len, joined)),
        token_type="uint16",
        largest_token=max((max(document) for document in joined if document), default=-1),
        empty_sequences=sum(not piece for pieces in documents for piece in pieces),
        documents_without_end=sum(not document or document[-1] != END for document in joined),
    )


def test_a_token_outside_of_the_vocabulary_is_named_by_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data_prep.index.validate._BLOCK", 2)
    prefix = write(tmp_path / "source", [[[1, 2, 3]], [[4, 99]]])
    assert validate_index(prefix, vocab_size=100).largest_token == 99
    with pytest.raises(DataError, match=r"source\.bin: token 4 is 99, not one of the 99 of the vocabulary"):
        validate_index(prefix, vocab_size=99)
    with pytest.raises(DataError, match=r"token 1 is -7, below 0"):
        validate_index(by_hand(tmp_path / "negative", [2], [0], [0, 1], [3, -7]))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (([2, 3], [0, 8], [0, 2, 1, 2]), "document 1 ends before it begins"),
        (([2, 3], [0, 8], [0, 1]), "document boundaries go from 0 to 1, there are 2 sequences"),
        (([2, 3], [0, 8], [1, 2]), "document boundaries go from 1 to 2, there are 2 sequences"),
        (([2, 3], [0, 8], []), "document boundaries are missing, there are 2 sequences"),
        (([2, 3], [4, 8], [0, 2]), "sequence 0 doesn't begin where the one before ends"),
        (([2, -1, 4], [0, 8, 4], [0, 3]), "sequence 1 has a length below 0"),
        (([2, 2, 3], [0, 4, 8], [0, 3]), "sequence 1 doesn't begin where the one before ends"),
    ],
)
def test_an_index_that_contradicts_itself_is_named_by_its_entry(
    tmp_path: Path, values: tuple[list[int], list[int], list[int]], said: str
) -> None:
    prefix = by_hand(tmp_path / "source", *values, tokens=[1, 2, 3, 4, 5])
    with pytest.raises(DataError, match=rf"source\.idx: {said}\. Remedy: "):
        validate_index(prefix)


@pytest.mark.parametrize("place", [0, 9, 17, 18, 26, HEADER_BYTES, HEADER_BYTES + 8, HEADER_BYTES + 24])
def test_a_flipped_bit_of_an_index_is_an_error_for_the_user(tmp_path: Path, place: int) -> None:
    # magic, version, type, sequences, boundaries; the first length, offset and boundary
    prefix = write(tmp_path / "source", [[[1, 2, 3]], [[4, 5]]])
    content = bytearray(idx_path(prefix).read_bytes())
    for bit in range(8):
        changed = content.copy()
        changed[place] ^= 1 << bit
        idx_path(prefix).write_bytes(changed)
        with pytest.raises(DataError, match=r"source\.(idx|bin)"):
            validate_index(prefix)


def test_modes_behind_a_multimodal_index_are_accepted(tmp_path: Path) -> None:
    import torch
    from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder

    builder: Any = IndexedDatasetBuilder(str(tmp_path / "theirs.bin"), dtype=np.int32, multimodal=True)
    builder.add_document(torch.tensor([1, 2, 3, 4]), [1, 3], [0, 1])
    builder.add_document(torch.tensor([5]), [1], [1])
    builder.finalize(str(tmp_path / "theirs.idx"))
    report = validate_index(tmp_path / "theirs", vocab_size=6)
    assert (report.documents, report.sequences, report.tokens) == (2, 3, 5)
