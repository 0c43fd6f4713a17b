"""Statistics against counting by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.card import SourceCard, write_card
from data_prep.errors import DataError
from data_prep.index import IndexedFile, IndexWriter, bin_path, idx_path
from data_prep.look import statistics_of
from data_prep.look.statistics import document_lengths

Documents = list[list[list[int]]]


def write(prefix: Path, documents: Documents) -> Path:
    with IndexWriter(prefix, 100) as writer:
        for pieces in documents:
            writer.add_document(pieces)
    return prefix


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.lists(st.integers(0, 2), max_size=9), max_size=3), min_size=1, max_size=30), st.integers(1, 9)
)
def test_figures_are_those_of_a_naive_count(
    tmp_path_factory: pytest.TempPathFactory, documents: Documents, block: int
) -> None:
    prefix = write(tmp_path_factory.mktemp("statistics") / "source", documents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("data_prep.look.statistics._BLOCK", block)
        found = statistics_of(prefix)
        in_order = document_lengths(IndexedFile(prefix)).tolist()
    joined = [tuple(token for piece in pieces for token in piece) for pieces in documents]
    lengths = [len(document) for document in joined]
    assert in_order == lengths
    assert (found.documents, found.sequences, found.tokens) == (len(joined), sum(map(len, documents)), sum(lengths))
    assert (found.shortest, found.longest) == (min(lengths), max(lengths))
    assert found.mean == pytest.approx(sum(lengths) / len(lengths))
    assert found.duplicates == len(joined) - len(set(joined))
    for percent, length in found.percentiles.items():
        enough = [
            least for least in sorted(lengths) if 100 * sum(n <= least for n in lengths) >= percent * len(lengths)
        ]
        assert length == enough[0]
    assert sum(part.documents for part in found.histogram) == len(joined)
    for part in found.histogram:
        inside = [length for length in lengths if part.least <= length <= part.most]
        assert (part.documents, part.tokens) == (len(inside), sum(inside)) and inside
        assert part.most == max(part.least, 2 * part.least - 1)


def test_tokens_in_other_documents_are_not_taken_for_a_repetition(tmp_path: Path) -> None:
    found = statistics_of(write(tmp_path / "source", [[[1, 2]], [[1], [2]], [[1, 2, 3]], [[2, 1]]]))
    assert found.duplicates == 1


def test_a_source_without_documents_has_no_figures(tmp_path: Path) -> None:
    found = statistics_of(write(tmp_path / "source", []))
    assert (found.documents, found.tokens, found.mean, found.longest, found.duplicates) == (0, 0, 0.0, 0, 0)
    assert (found.percentiles, found.histogram, found.bytes_per_token) == ({}, (), None)


def test_bytes_per_token_are_those_of_the_card(tmp_path: Path) -> None:
    prefix = write(tmp_path / "source", [[[1, 2, 3, 4]]])
    assert statistics_of(prefix).bytes_per_token is None
    counts = {"documents": 1, "tokens": 4, "text_bytes": 10, "held_out_documents": 0}
    card = SourceCard("source", "any", "", **counts, tokenizer_sha256="", bin=[], idx=[], section="", inputs="")
    write_card(prefix, card)
    assert statistics_of(prefix).bytes_per_token == 2.5


def test_an_index_that_contradicts_itself_has_no_figures(tmp_path: Path) -> None:
    prefix = write(tmp_path / "source", [[[1, 2]], [[3, 4]]])
    content = bytearray(idx_path(prefix).read_bytes())
    content[-16:-8] = np.int64(2**40).tobytes()
    idx_path(prefix).write_bytes(content)
    with pytest.raises(DataError, match="document 1 ends before it begins"):
        statistics_of(prefix)
    bin_path(prefix).unlink()
    with pytest.raises(DataError, match=r"no \.bin/\.idx pair"):
        statistics_of(prefix)
