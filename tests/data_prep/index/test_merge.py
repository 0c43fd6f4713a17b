"""Shards put together."""

from __future__ import annotations

import hashlib
import resource
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.content_hash import Piece
from data_prep.errors import DataError
from data_prep.index import IndexedFile, IndexWriter, bin_path, idx_path, merge_indexes, token_dtype

Documents = list[list[list[int]]]
"""Tokens of the sequences of each document."""

DOCUMENTS = st.lists(st.lists(st.lists(st.integers(0, 299), max_size=6), max_size=3), max_size=5)


def write(prefix: Path, documents: Documents, vocab_size: int = 300) -> Path:
    with IndexWriter(prefix, vocab_size) as writer:
        for pieces in documents:
            writer.add_document(pieces)
    return prefix


def contents(prefix: Path) -> tuple[bytes, bytes]:
    return bin_path(prefix).read_bytes(), idx_path(prefix).read_bytes()


@settings(max_examples=15, deadline=None)
@given(st.lists(DOCUMENTS, min_size=1, max_size=4), st.sampled_from([300, 128_256]))
def test_shards_are_merged_as_one_writer_and_megatron_write_them(
    tmp_path_factory: pytest.TempPathFactory, shards: list[Documents], vocab_size: int
) -> None:
    from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder

    folder = tmp_path_factory.mktemp("merge")
    prefixes = [write(folder / f"{number}", documents, vocab_size) for number, documents in enumerate(shards)]
    piece = merge_indexes(prefixes, folder / "merged")
    write(folder / "whole", list(chain.from_iterable(shards)), vocab_size)
    builder = IndexedDatasetBuilder(str(folder / "theirs.bin"), dtype=token_dtype(vocab_size).type)
    for prefix in prefixes:
        builder.add_index(str(prefix))
    builder.finalize(str(folder / "theirs.idx"))
    assert contents(folder / "merged") == contents(folder / "whole") == contents(folder / "theirs")
    index = idx_path(folder / "merged").read_bytes()
    assert piece == Piece(len(index), hashlib.sha256(index).hexdigest())


def test_a_long_index_is_streamed_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_prep.index.merge._BLOCK", 3)
    shards = [[[[number, shard]] for number in range(10)] for shard in range(3)]
    merge_indexes([write(tmp_path / f"{number}", shard) for number, shard in enumerate(shards)], tmp_path / "merged")
    assert contents(tmp_path / "merged") == contents(write(tmp_path / "whole", list(chain.from_iterable(shards))))


def test_more_shards_are_merged_than_a_process_may_open_files(tmp_path: Path) -> None:
    shards = [write(tmp_path / f"{number}", [[[number]]]) for number in range(150)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_now = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 20, hard))
    try:
        merge_indexes(shards, tmp_path / "merged")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert bin_path(tmp_path / "merged").read_bytes() == np.arange(150, dtype=np.uint16).tobytes()


def test_nothing_is_left_of_a_merge_that_fails(tmp_path: Path) -> None:
    small, large = write(tmp_path / "small", [[[1]]]), write(tmp_path / "large", [[[1]]], vocab_size=70_000)
    with pytest.raises(DataError, match=r"large\.bin: tokens are int32, those of small are uint16"):
        merge_indexes([small, large], tmp_path / "merged")
    index = idx_path(small)
    index.write_bytes(index.read_bytes()[:-8] + np.int64(9).tobytes())
    with pytest.raises(DataError, match=r"small\.idx: document boundaries go from 0 to 9, there are 1 sequences"):
        merge_indexes([small], tmp_path / "merged")
    with pytest.raises(DataError, match="no shard"):
        merge_indexes([], tmp_path / "merged")
    assert not [path for path in tmp_path.iterdir() if "merged" in path.name]


def test_merging_replaces_what_was_there(tmp_path: Path) -> None:
    write(tmp_path / "merged", [[[1, 2, 3]]])
    merge_indexes([write(tmp_path / "0", [[[4]]])], tmp_path / "merged")
    assert IndexedFile(tmp_path / "merged")[0].tolist() == [4]
