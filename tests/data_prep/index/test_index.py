"""Indexed token files against Megatron's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.errors import DataError
from data_prep.index import IndexedFile, IndexWriter, bin_path, idx_path, token_dtype

DOCUMENTS = [[1, 2, 3], [7], [65_000, 4, 4, 4], list(range(500))]


def write(prefix: Path, documents: list[list[int]], vocab_size: int) -> None:
    with IndexWriter(prefix, vocab_size) as writer:
        for document in documents:
            writer.add(document)


@pytest.mark.parametrize("vocab_size", [65_499, 128_256])
def test_files_are_byte_identical_to_megatrons(tmp_path: Path, vocab_size: int) -> None:
    from megatron.core.datasets.indexed_dataset import DType, IndexedDatasetBuilder

    write(tmp_path / "ours", DOCUMENTS, vocab_size)
    builder = IndexedDatasetBuilder(str(tmp_path / "theirs.bin"), dtype=DType.optimal_dtype(vocab_size))
    for document in DOCUMENTS:
        builder.add_document(torch.tensor(document), [len(document)])
    builder.finalize(str(tmp_path / "theirs.idx"))
    for ending in ("bin", "idx"):
        assert (tmp_path / f"ours.{ending}").read_bytes() == (tmp_path / f"theirs.{ending}").read_bytes()


def test_megatron_reads_our_files(tmp_path: Path) -> None:
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    write(tmp_path / "ours", DOCUMENTS, 65_499)
    dataset = IndexedDataset(str(tmp_path / "ours"))
    assert [dataset[index].tolist() for index in range(len(dataset))] == DOCUMENTS


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 99), min_size=0, max_size=20), max_size=12))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, documents: list[list[int]]) -> None:
    prefix = tmp_path_factory.mktemp("index") / "source"
    write(prefix, documents, 100)
    found = IndexedFile(prefix)
    assert [found[index].tolist() for index in range(len(found))] == documents
    assert found.tokens == sum(map(len, documents))


def test_small_vocabularies_take_two_bytes_a_token() -> None:
    assert token_dtype(65_499) == np.uint16
    assert token_dtype(65_500) == np.int32


def test_an_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), IndexWriter(tmp_path / "source", 100) as writer:
        writer.add([1, 2])
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", ["bin", "idx"])
def test_a_file_that_was_cut_short_is_named(tmp_path: Path, cut: str) -> None:
    prefix = tmp_path / "source"
    write(prefix, DOCUMENTS, 65_499)
    path = {"bin": bin_path, "idx": idx_path}[cut](prefix)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DataError, match=rf"source\.{cut}"):
        IndexedFile(prefix)


def test_another_format_is_told_apart(tmp_path: Path) -> None:
    bin_path(tmp_path / "source").write_bytes(b"")
    idx_path(tmp_path / "source").write_bytes(b"PNG" * 40)
    with pytest.raises(DataError, match="MMIDIDX"):
        IndexedFile(tmp_path / "source")
