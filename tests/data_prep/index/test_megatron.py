"""Prepared sources under Megatron's own datasets, and Megatron's files under ours."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist

from data_prep import api
from data_prep.blend.order import blend_order
from data_prep.index import IndexedFile, IndexWriter, bin_path, idx_path
from data_prep.index.validate import validate_index
from data_prep.schema import DataConfig, Packing

LENGTH, SAMPLES = 48, 120
PACKING = Packing(capacity=64)
WEIGHTS = {"red": 20, "blue": 50, "green": 30}

Document = tuple[int, ...]


@pytest.fixture(scope="module", params=["byte_level_bpe", "word_level"])
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sources, tokenised, packed and locked: with a vocabulary of 300 (uint16), and of over 65,500 (int32)."""
    folder = tmp_path_factory.mktemp(request.param)
    words = [f"w{number}" for number in range(66_000 if request.param == "word_level" else 50)]
    stream = random.Random(3)
    texts = {name: [" ".join(stream.choices(words, k=stream.randrange(1, 12))) for _ in range(150)] for name in WEIGHTS}
    texts["words"] = [" ".join(words)]
    for name, rows in texts.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in rows))
    config = DataConfig.model_validate(
        {
            "tokenizer": {"kind": request.param, "vocab_size": 300, "train_on": list(texts)},
            "sources": {name: {"path": str(folder / f"{name}.jsonl")} for name in texts},
            "blends": {"all": WEIGHTS},
        }
    )
    api.prepare(config, folder / "data", log=lambda line: None)
    for packing in (None, PACKING):
        api.lock(config, folder / "data", "all", LENGTH * SAMPLES, seed=5, packing=packing)
    return folder / "data"


@pytest.fixture
def one_process(tmp_path: Path) -> Iterator[None]:
    """The process group without which Megatron's blend isn't cached."""
    if dist.is_initialized():
        yield
        return
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def documents_of(prefix: Path) -> list[Document]:
    file = IndexedFile(prefix)
    return [tuple(file[index].tolist()) for index in range(len(file))]


def blended(prefixes: list[Path], end_id: int, vocab_size: int, cache: Path) -> Any:
    """Megatron's dataset of training samples, built with its C++ helper."""
    from megatron.core.datasets.blended_megatron_dataset_builder import BlendedMegatronDatasetBuilder
    from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig

    class Tokenizer:
        eod = end_id
        pad = -1
        unique_identifiers = {"name": "test"}  # noqa: RUF012

    Tokenizer.vocab_size = vocab_size  # type: ignore[attr-defined]
    config = GPTDatasetConfig(
        random_seed=1,
        sequence_length=LENGTH,
        blend_per_split=[([str(prefix) for prefix in prefixes], list(map(float, WEIGHTS.values()))), None, None],
        path_to_cache=str(cache),
        tokenizer=Tokenizer(),
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        create_attention_mask=False,
    )
    return BlendedMegatronDatasetBuilder(GPTDataset, [SAMPLES, 0, 0], lambda: True, config).build()[0]


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("ending", ["", f".{PACKING.label}"])
def test_megatrons_blended_dataset_gives_the_documents_that_were_prepared(
    prepared: Path, tmp_path: Path, ending: str
) -> None:
    vocabulary = api.load_tokenizer(prepared / "tokenizer.json")
    end = vocabulary.end_of_document_id
    prefixes = [prepared / "sources" / f"{name}{ending}" for name in WEIGHTS]
    documents = [documents_of(prefix) for prefix in prefixes]
    dataset = blended(prefixes, end, vocabulary.vocab_size, tmp_path)

    assert len(dataset) == SAMPLES
    taken = np.array([dataset.dataset_index[sample] for sample in range(SAMPLES)])
    assert taken.tolist() == blend_order(list(WEIGHTS.values()), SAMPLES).sources.tolist()
    whole = 0
    for sample in range(SAMPLES):
        source = documents[taken[sample]]
        row = dataset[sample]
        tokens = [*row["tokens"].tolist(), int(row["labels"][-1])]
        assert row["labels"][:-1].tolist() == tokens[1:-1]
        parts = [tuple(part) for part in np.split(tokens, np.flatnonzero(np.array(tokens) == end) + 1)]
        assert set(parts[1:-1]) <= set(source)
        assert any(document[-len(parts[0]) :] == parts[0] for document in source)
        assert any(document[: len(parts[-1])] == parts[-1] for document in source)
        whole += len(parts) - 2
    assert whole > SAMPLES


def test_vocabularies_have_the_token_type_that_megatron_chooses(prepared: Path) -> None:
    from megatron.core.datasets.indexed_dataset import DType, IndexedDataset

    vocab_size = api.load_tokenizer(prepared / "tokenizer.json").vocab_size
    for name in (*WEIGHTS, f"red.{PACKING.label}"):
        prefix = prepared / "sources" / name
        theirs = IndexedDataset(str(prefix))
        assert theirs.index.dtype == DType.optimal_dtype(vocab_size) == IndexedFile(prefix).dtype
        assert [tuple(theirs[index].tolist()) for index in range(len(theirs))] == documents_of(prefix)


@pytest.mark.parametrize("vocab_size", [300, 128_256])
def test_megatrons_files_are_validated_read_and_written_the_same(tmp_path: Path, vocab_size: int) -> None:
    from megatron.core.datasets.indexed_dataset import DType, IndexedDatasetBuilder

    documents = [[[1, 2, 3], [4]], [[5, 6]], [[7], [], [8, 9, vocab_size - 1]]]
    builder = IndexedDatasetBuilder(str(tmp_path / "theirs.bin"), dtype=DType.optimal_dtype(vocab_size))
    builder.add_document(torch.tensor([1, 2, 3, 4]), [3, 1])
    for pieces in documents[1:]:
        for piece in pieces:
            builder.add_item(torch.tensor(piece, dtype=torch.int64))
        builder.end_document()
    builder.finalize(str(tmp_path / "theirs.idx"))

    report = validate_index(tmp_path / "theirs", vocab_size=vocab_size)
    assert (report.documents, report.sequences, report.tokens, report.empty_sequences) == (3, 6, 10, 1)
    file = IndexedFile(tmp_path / "theirs")
    assert [[piece.tolist() for piece in file.document(index)] for index in range(3)] == documents
    with IndexWriter(tmp_path / "ours", vocab_size) as writer:
        for pieces in documents:
            writer.add_document(pieces)
    for path in (bin_path, idx_path):
        assert path(tmp_path / "ours").read_bytes() == path(tmp_path / "theirs").read_bytes()
