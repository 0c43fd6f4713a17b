"""Cutting long documents."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.errors import UsageError
from data_prep.pack import PackSettings, Pieces, split_long


@st.composite
def cuts(draw: st.DrawFn) -> tuple[list[int], int, int]:
    capacity = draw(st.integers(1, 20))
    return draw(st.lists(st.integers(0, 90), max_size=12)), capacity, draw(st.integers(0, capacity - 1))


def ranges(pieces: Pieces, document: int) -> list[tuple[int, int]]:
    chosen = pieces.documents == document
    starts, lengths = pieces.starts[chosen].tolist(), pieces.lengths[chosen].tolist()
    return [(start, start + length) for start, length in zip(starts, lengths, strict=True)]


@given(cuts())
def test_pieces_cover_each_document_in_order_and_repeat_only_the_overlap(cut: tuple[list[int], int, int]) -> None:
    lengths, capacity, overlap = cut
    pieces = split_long(np.array(lengths, np.int32), capacity, overlap)
    assert pieces.documents.tolist() == sorted(pieces.documents.tolist())
    assert len(pieces) == sum(len(ranges(pieces, document)) for document in range(len(lengths)))
    for document, length in enumerate(lengths):
        covered = ranges(pieces, document)
        if not length:
            assert covered == []
            continue
        assert covered[0][0] == 0
        assert covered[-1][1] == length
        assert all(end - start == capacity for start, end in covered[:-1])
        assert 0 < covered[-1][1] - covered[-1][0] <= capacity
        # each piece goes on where the one before ended, less the overlap, and adds at least a token
        for (_, before), (start, end) in pairwise(covered):
            assert start == before - overlap
            assert end > before


@pytest.mark.parametrize("length", [8, 16])
def test_a_document_of_whole_packs_leaves_no_empty_piece(length: int) -> None:
    assert split_long(np.array([length]), 8).lengths.tolist() == [8] * (length // 8)


@pytest.mark.parametrize(("capacity", "overlap"), [(8, 8), (8, -1), (0, 0)])
def test_an_overlap_that_cannot_work_is_refused(capacity: int, overlap: int) -> None:
    with pytest.raises(UsageError, match="overlap"):
        split_long(np.array([20]), capacity, overlap)
    with pytest.raises(UsageError, match="overlap"):
        PackSettings(capacity, overlap)


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(UsageError, match="buffer_documents"):
        PackSettings(8, buffer_documents=0)
    with pytest.raises(UsageError, match="min_tokens"):
        PackSettings(8, min_tokens=-1)
