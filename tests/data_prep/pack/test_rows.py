"""Packs as rows: labels stay inside a piece, boundaries are where pieces end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.errors import DataError
from data_prep.index import IndexWriter
from data_prep.pack import (
    PackedSequences,
    PackSettings,
    cumulative_lengths,
    document_ends,
    pack_source,
    sequence_index,
)

END = 9


def write_packs(prefix: Path, packs: list[list[list[int]]]) -> None:
    with IndexWriter(prefix, vocab_size=100_000) as writer:
        for pack in packs:
            writer.add_document(pack)


def test_a_row_is_its_pieces_and_a_padding_piece(tmp_path: Path) -> None:
    write_packs(tmp_path / "packed", [[[1, 2, 3], [4, 5]], [[6, 7, 8, 1, 2, 3, 4]]])
    rows = PackedSequences(tmp_path / "packed", capacity=7, end_id=END)
    assert len(rows) == 2
    padded, full = rows[0], rows[1]
    assert padded.tokens.tolist() == [1, 2, 3, 4, 5, END, END]
    assert padded.labels.tolist() == [2, 3, END, 5, END, END, END]
    assert padded.loss_mask.tolist() == [True, True, False, True, False, False, False]
    assert padded.ends.tolist() == [3, 5, 7]
    assert full.ends.tolist() == [7]
    assert full.loss_mask.tolist() == [True] * 6 + [False]
    assert padded.tokens.dtype == padded.labels.dtype == np.dtype(np.int64)
    assert padded.loss_mask.dtype == np.dtype(np.bool_)
    assert padded.ends.dtype == np.dtype(np.int32)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(0, 5))
def test_labels_never_cross_a_piece(tmp_path_factory: pytest.TempPathFactory, lengths: list[int], padding: int) -> None:
    folder = tmp_path_factory.mktemp("rows")
    # the hundreds of a token tell its piece
    pieces = [[1_000 * (number + 1) + token for token in range(length)] for number, length in enumerate(lengths)]
    write_packs(folder / "packed", [pieces])
    capacity = sum(lengths) + padding
    row = PackedSequences(folder / "packed", capacity, END)[0]
    trained = row.loss_mask
    assert np.array_equal(row.labels[trained], row.tokens[trained] + 1)
    assert np.all(row.labels[~trained] == END)
    assert trained.sum() == sum(lengths) - len(lengths)
    assert len(row.tokens) == len(row.labels) == len(trained) == capacity
    assert row.ends[-1] == capacity
    cumulative, sequence = cumulative_lengths(row), sequence_index(row)
    for number, piece in enumerate(pieces):
        assert row.tokens[cumulative[number] : cumulative[number + 1]].tolist() == piece
        assert row.tokens[sequence == number].tolist() == piece
    assert np.all(np.diff(cumulative) > 0)
    assert len(cumulative) - 1 == sequence[-1] + 1 == len(pieces) + bool(padding)
    assert cumulative.dtype == sequence.dtype == np.int32


def test_a_packed_source_reads_as_rows_that_hold_every_token(tmp_path: Path) -> None:
    with IndexWriter(tmp_path / "source", vocab_size=100_000) as writer:
        for start, length in ((0, 5), (5, 30), (35, 2), (37, 9)):
            writer.add(list(range(100 + start, 100 + start + length)))
    pack_source(tmp_path / "source", tmp_path / "packed", PackSettings(16))
    rows = PackedSequences(tmp_path / "packed", 16, END)
    tokens = np.concatenate([rows[index].tokens for index in range(len(rows))])
    assert sorted(tokens[tokens != END].tolist()) == list(range(100, 146))


def test_empty_pieces_leave_no_boundary(tmp_path: Path) -> None:
    write_packs(tmp_path / "packed", [[[], [1, 2], [], [3]], []])
    rows = PackedSequences(tmp_path / "packed", 4, END)
    assert rows[0].ends.tolist() == [2, 3, 4]
    assert rows[1].ends.tolist() == [4]
    assert not rows[1].loss_mask.any()


def test_a_pack_larger_than_a_row_is_named(tmp_path: Path) -> None:
    write_packs(tmp_path / "packed", [[[1, 2]], [[1, 2, 3], [4, 5]]])
    rows = PackedSequences(tmp_path / "packed", 4, END)
    with pytest.raises(DataError, match=r"packed\.bin: pack 1 holds 5 tokens, more than 4"):
        rows[1]


@pytest.mark.parametrize("index", [-1, 1])
def test_a_row_that_does_not_exist_is_an_index_error(tmp_path: Path, index: int) -> None:
    write_packs(tmp_path / "packed", [[[1, 2]]])
    with pytest.raises(IndexError):
        PackedSequences(tmp_path / "packed", 4, END)[index]


@pytest.mark.parametrize(
    ("tokens", "ends"),
    [
        ([1, END, 2, 3, END, 4], [2, 5, 6]),
        ([1, 2, END], [3]),
        ([END, END, 1], [1, 2, 3]),
        ([1, 2], [2]),
        ([], []),
    ],
)
def test_documents_of_a_chunk_end_behind_their_end_token(tokens: list[int], ends: list[int]) -> None:
    found = document_ends(np.array(tokens, np.uint16), END)
    assert found.tolist() == ends
    assert found.dtype == np.int32
    assert cumulative_lengths(found).tolist() == [0, *ends]


def test_training_reads_packs_without_the_compiler(tmp_path: Path) -> None:
    write_packs(tmp_path / "packed", [[[1, 2]]])
    script = (
        "import sys; from pathlib import Path; from data_prep.pack import PackedSequences;"
        "PackedSequences(Path(sys.argv[1]), 4, 9)[0]; sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path / "packed")], check=False).returncode == 0
