"""Packed files: what is in them, when they are made, what stops them."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.card import SourceCard, card_path, write_card
from data_prep.content_hash import hash_file
from data_prep.errors import DataError, UsageError
from data_prep.index import IndexedFile, IndexWriter, bin_path, idx_path
from data_prep.index.format import HEADER_BYTES
from data_prep.pack import PackSettings, pack_source, read_pack_report, read_packed_files, report_path


def write_source(prefix: Path, lengths: list[int]) -> list[list[int]]:
    """Documents of which no token occurs twice, so that it can be told where each went."""
    starts = np.cumsum([0, *lengths])
    documents = [list(range(start, start + length)) for start, length in zip(starts.tolist(), lengths, strict=False)]
    with IndexWriter(prefix, vocab_size=100_000) as writer:
        for document in documents:
            writer.add(document)
    return documents


def packs_of(prefix: Path) -> list[list[list[int]]]:
    file = IndexedFile(prefix)
    return [[piece.tolist() for piece in file.document(index)] for index in range(file.documents)]


def inode(prefix: Path) -> tuple[int, int]:
    return bin_path(prefix).stat().st_ino, idx_path(prefix).stat().st_ino


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=30), st.integers(1, 16), st.integers(1, 7))
def test_every_token_lies_in_one_pack_and_documents_keep_their_order(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], capacity: int, buffer_documents: int
) -> None:
    lengths = [*lengths, 1]
    folder = tmp_path_factory.mktemp("pack")
    documents = write_source(folder / "source", lengths)
    report = pack_source(
        folder / "source", folder / "packed", PackSettings(capacity, buffer_documents=buffer_documents)
    )
    packs = packs_of(folder / "packed")
    pieces = [piece for pack in packs for piece in pack]
    assert all(0 < sum(len(piece) for piece in pack) <= capacity for pack in packs)
    # no token occurs twice in the source: a document's pieces, in the order of packs, are the document
    assert [token for piece in sorted(pieces) for token in piece] == [token for doc in documents for token in doc]
    for document in documents:
        starts = [piece[0] for piece in pieces if document and document[0] <= piece[0] <= document[-1]]
        assert starts == sorted(starts)
        assert len(starts) == -(-len(document) // capacity)
    assert (report.documents, report.dropped_short) == (len(lengths), lengths.count(0))
    assert (report.pieces, report.packs, report.tokens) == (len(pieces), len(packs), sum(lengths))
    assert report.split == sum(length > capacity for length in lengths)
    assert report.fill == sum(lengths) / (len(packs) * capacity)


def test_megatron_opens_packs_as_documents_and_pieces_as_sequences(tmp_path: Path) -> None:
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    write_source(tmp_path / "source", [3, 20, 5, 2, 8])
    report = pack_source(tmp_path / "source", tmp_path / "packed", PackSettings(8))
    theirs = IndexedDataset(str(tmp_path / "packed"))
    packs = packs_of(tmp_path / "packed")
    assert len(theirs.document_indices) - 1 == report.packs == len(packs)
    assert len(theirs) == report.pieces
    edges = theirs.document_indices.tolist()
    assert [[theirs[sequence].tolist() for sequence in range(first, end)] for first, end in pairwise(edges)] == packs


def test_short_documents_are_left_out_and_counted_but_not_the_tail_of_a_long_one(tmp_path: Path) -> None:
    documents = write_source(tmp_path / "source", [3, 10, 2, 4])
    report = pack_source(tmp_path / "source", tmp_path / "packed", PackSettings(8, min_tokens=4))
    assert (report.documents, report.dropped_short, report.dropped_tokens) == (4, 2, 5)
    kept = {token for pack in packs_of(tmp_path / "packed") for piece in pack for token in piece}
    assert kept == {*documents[1], *documents[3]}


def test_an_overlap_repeats_the_last_tokens_and_is_counted(tmp_path: Path) -> None:
    write_source(tmp_path / "source", [18, 4])
    report = pack_source(tmp_path / "source", tmp_path / "packed", PackSettings(8, overlap=3))
    pieces = sorted(piece for pack in packs_of(tmp_path / "packed") for piece in pack)
    assert pieces == [list(range(8)), list(range(5, 13)), list(range(10, 18)), [18, 19, 20, 21]]
    assert (report.repeated_tokens, report.tokens) == (6, 28)


def test_a_document_of_several_sequences_is_packed_as_one(tmp_path: Path) -> None:
    with IndexWriter(tmp_path / "source", vocab_size=100) as writer:
        writer.add_document([[1, 2], [3, 4, 5]])
        writer.add_document([[6]])
    pack_source(tmp_path / "source", tmp_path / "packed", PackSettings(8))
    assert packs_of(tmp_path / "packed") == [[[1, 2, 3, 4, 5], [6]]]


def test_an_unchanged_pack_is_not_made_again(tmp_path: Path) -> None:
    write_source(tmp_path / "source", [3, 20, 5])
    source, packed = tmp_path / "source", tmp_path / "packed"
    first = pack_source(source, packed, PackSettings(8))
    before = inode(packed)
    assert pack_source(source, packed, PackSettings(8)) == first == read_pack_report(packed)
    assert inode(packed) == before


def test_a_pack_is_made_again_when_anything_it_depends_on_changed(tmp_path: Path) -> None:
    source, packed = tmp_path / "source", tmp_path / "packed"
    write_source(source, [3, 20, 5])
    pack_source(source, packed, PackSettings(8))
    content = bin_path(packed).read_bytes()

    def is_made_again(settings: PackSettings) -> bool:
        before = inode(packed)
        pack_source(source, packed, settings)
        return inode(packed) != before

    assert is_made_again(PackSettings(8, overlap=1))
    assert is_made_again(PackSettings(8))
    bin_path(packed).write_bytes(content[:-2])
    assert is_made_again(PackSettings(8))
    for damaged in ("{", "[]", "{}", '{"schema_version": 1, "report": {"packs": 1}}'):
        report_path(packed).write_text(damaged)
        assert is_made_again(PackSettings(8))
    assert bin_path(packed).read_bytes() == content
    tokens = bytearray(bin_path(source).read_bytes())
    tokens[0] ^= 1
    bin_path(source).write_bytes(tokens)
    assert is_made_again(PackSettings(8))
    assert not is_made_again(PackSettings(8))


def write_card_of(prefix: Path) -> None:
    file = IndexedFile(prefix)
    card = SourceCard(
        source="made",
        domain="web",
        licence="CC0-1.0",
        documents=file.documents,
        tokens=file.tokens,
        text_bytes=0,
        held_out_documents=0,
        tokenizer_sha256="",
        bin=hash_file(bin_path(prefix)),
        idx=hash_file(idx_path(prefix)),
        section="",
        inputs="",
    )
    write_card(prefix, card)


def test_a_source_is_known_by_its_card_and_a_card_of_other_files_is_refused(tmp_path: Path) -> None:
    source, packed = tmp_path / "source", tmp_path / "packed"
    write_source(source, [3, 20, 5])
    pack_source(source, packed, PackSettings(8))
    write_card_of(source)
    before = inode(packed)
    pack_source(source, packed, PackSettings(8))
    assert inode(packed) == before
    write_source(source, [3, 20, 6])
    with pytest.raises(DataError, match=r"source\.bin.*card says"):
        pack_source(source, packed, PackSettings(8))
    card_path(source).unlink()
    pack_source(source, packed, PackSettings(8))
    assert inode(packed) != before


def test_a_report_keeps_the_hashes_of_the_files(tmp_path: Path) -> None:
    write_source(tmp_path / "source", [3, 20, 5])
    pack_source(tmp_path / "source", tmp_path / "packed", PackSettings(8))
    files = read_packed_files(tmp_path / "packed")
    assert [files.bin] == hash_file(bin_path(tmp_path / "packed"))
    assert [files.idx] == hash_file(idx_path(tmp_path / "packed"))
    report_path(tmp_path / "packed").write_text('{"schema_version": 1, "bin": 3}')
    for read in (read_packed_files, read_pack_report):
        with pytest.raises(DataError, match=r"packed\.pack\.json: not a report on packing"):
            read(tmp_path / "packed")


def test_nothing_left_to_pack_is_an_error_that_leaves_no_file(tmp_path: Path) -> None:
    write_source(tmp_path / "source", [3, 2])
    with pytest.raises(DataError, match="none of 2 documents has 4 tokens"):
        pack_source(tmp_path / "source", tmp_path / "packed", PackSettings(8, min_tokens=4))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source.bin", "source.idx"]


def test_a_pack_cannot_replace_its_source(tmp_path: Path) -> None:
    write_source(tmp_path / "source", [3])
    with pytest.raises(UsageError, match="replace its source"):
        pack_source(tmp_path / "source", tmp_path / "." / "source", PackSettings(8))


LENGTHS, OFFSETS, BOUNDARIES = HEADER_BYTES, HEADER_BYTES + 4 * 4, HEADER_BYTES + 4 * 12
"""Where the arrays of an index of four sequences begin, in bytes."""


@pytest.mark.parametrize(
    ("place", "code", "value", "problem"),
    [
        (LENGTHS + 4, "<i", -3, "lengths or offsets"),
        (LENGTHS + 4, "<i", 4, "lengths or offsets"),
        (OFFSETS + 8, "<q", 0, "lengths or offsets"),
        (BOUNDARIES, "<q", 1, "first document"),
        (BOUNDARIES + 16, "<q", 0, "boundaries"),
        (BOUNDARIES + 24, "<q", 9, "boundaries"),
        (BOUNDARIES + 32, "<q", 3, "belong to no document"),
    ],
)
@pytest.mark.parametrize("buffer_documents", [1, 100])
def test_a_wrong_index_is_named_and_leaves_the_pack_that_was_there(
    tmp_path: Path, place: int, code: str, value: int, problem: str, buffer_documents: int
) -> None:
    source, packed = tmp_path / "source", tmp_path / "packed"
    write_source(source, [3, 2, 5, 4])
    before = pack_source(source, packed, PackSettings(8, buffer_documents=buffer_documents))
    index = bytearray(idx_path(source).read_bytes())
    struct.pack_into(code, index, place, value)
    idx_path(source).write_bytes(index)
    kept = inode(packed)
    with pytest.raises(DataError, match=rf"source\.idx.*{problem}"):
        pack_source(source, packed, PackSettings(8, buffer_documents=buffer_documents))
    assert inode(packed) == kept
    assert read_pack_report(packed) == before


SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from data_prep.pack import PackSettings, best_fit_decreasing, pack_source
best_fit_decreasing(np.ones(1, int), 1)
print("ready", flush=True)
pack_source(Path(sys.argv[1]), Path(sys.argv[2]), PackSettings(64, buffer_documents=2_000))
"""


def test_a_killed_run_leaves_nothing_half_and_the_next_gives_the_same_files(tmp_path: Path) -> None:
    source, packed, whole = tmp_path / "source", tmp_path / "packed", tmp_path / "whole"
    write_source(source, [1 + number % 13 for number in range(60_000)])
    report = pack_source(source, whole, PackSettings(64, buffer_documents=2_000))
    for delay in (0.0, 0.02, 0.04, 0.06, 0.2):
        with subprocess.Popen([sys.executable, "-c", SCRIPT, source, packed], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(delay)
            os.kill(process.pid, signal.SIGKILL)
        if report_path(packed).exists():
            assert packs_of(packed) == packs_of(whole)
    assert pack_source(source, packed, PackSettings(64, buffer_documents=2_000)) == report
    for path in (bin_path, idx_path, report_path):
        assert path(packed).read_bytes() == path(whole).read_bytes()
