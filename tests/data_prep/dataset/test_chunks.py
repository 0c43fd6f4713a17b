"""Concatenate and chunk: which tokens a sample holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.dataset import ChunkRows, Chunks
from data_prep.errors import DataError
from data_prep.index import IndexWriter

END = 0


def source(folder: Path, lengths: list[int]) -> Path:
    """Documents of distinct tokens, so that a token says where it stands."""
    prefix, token = folder / "source", 1
    with IndexWriter(prefix, 100_000) as writer:
        for length in lengths:
            writer.add([*range(token, token + length - 1), END])
            token += length - 1
    return prefix


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 30), st.integers(0, 5))
def test_an_epoch_holds_every_token_at_most_once_and_leaves_less_than_a_sample(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], length: int, epoch: int
) -> None:
    chunks = Chunks(source(tmp_path_factory.mktemp("chunks"), lengths), "source", length, seed=1)
    total = sum(lengths)
    if total < length:
        return
    places = [chunks.place(sample)[2] for sample in range(epoch * chunks.per_epoch, (epoch + 1) * chunks.per_epoch)]
    seen = Counter((start + offset) % total for start in places for offset in range(length))
    assert max(seen.values()) == 1
    assert total - len(seen) < length


def test_a_sample_is_a_stretch_of_the_file_and_its_labels_are_one_further(tmp_path: Path) -> None:
    chunks = Chunks(source(tmp_path, [7, 5, 9, 30]), "source", 10, seed=3)
    whole = [int(token) for token in chunks.file.read(0, chunks.file.tokens)]
    ring = whole + whole
    rows = ChunkRows(chunks, END, documents_apart=False, loss_on_end=True)
    for sample in range(20):
        start = chunks.place(sample)[2]
        assert chunks[sample].tolist() == ring[start : start + 11]
        assert rows[sample].tokens.tolist() == ring[start : start + 10]
        assert rows[sample].labels.tolist() == ring[start + 1 : start + 11]
        assert rows[sample].mask is None and rows[sample].ends is None
        assert rows[sample].labels_that_count == 10


def test_epochs_differ_in_order_and_in_where_they_cut(tmp_path: Path) -> None:
    chunks = Chunks(source(tmp_path, [50] * 10), "source", 8, seed=1)
    places = [tuple(chunks.place(e * chunks.per_epoch + n)[2] for n in range(chunks.per_epoch)) for e in range(3)]
    assert len({frozenset(start % 8 for start in epoch) for epoch in places}) > 1
    assert len(set(places)) == 3


def test_a_source_shorter_than_a_sample_is_repeated_inside_it(tmp_path: Path) -> None:
    chunks = Chunks(source(tmp_path, [3]), "source", 8, seed=1)
    assert sorted(set(chunks[5].tolist())) == [END, 1, 2]
    assert len(chunks[5]) == 9


def test_the_end_tokens_position_can_be_left_out_of_the_loss(tmp_path: Path) -> None:
    rows = ChunkRows(
        Chunks(source(tmp_path, [4] * 12), "source", 8, seed=1), END, documents_apart=True, loss_on_end=False
    )
    row = rows[0]
    assert row.mask is not None and row.ends is not None
    assert [bool(kept) for kept in row.mask] == [token != END for token in row.tokens]
    assert row.labels_that_count == 6
    assert int(row.ends[-1]) == 8
    assert all(row.tokens[end - 1] == END for end in row.ends[:-1])


def test_a_source_without_tokens_is_refused(tmp_path: Path) -> None:
    with IndexWriter(tmp_path / "empty", 100):
        pass
    with pytest.raises(DataError, match="no token"):
        Chunks(tmp_path / "empty", "empty", 8, seed=1)
