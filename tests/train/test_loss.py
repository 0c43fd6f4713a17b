"""Next-token loss: which labels count, and that each weighs the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from data_prep.dataset import ChunkRows, Chunks, PackRows, TrainingRow
from data_prep.index import IndexWriter
from data_prep.pack import PackedSequences, PackSettings, pack_source
from prism.megatron.blend import SourceBatch
from prism.train.loss import NextTokenLoss

END = 0


def batch(mask: Tensor | None, sources: list[int], labels: float) -> SourceBatch:
    tokens = torch.zeros(len(sources), 4, dtype=torch.long)
    return SourceBatch(tokens, tokens, torch.tensor(sources), mask, labels, None)


def test_each_label_that_counts_has_the_same_gradient_however_the_rows_are_split() -> None:
    mask = torch.tensor([[1, 1, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]], dtype=torch.bool)
    count = int(mask.sum())
    for size in (1, 2, 4):
        losses = torch.rand(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
        parts = [slice(start, start + size) for start in range(0, 4, size)]
        values = [
            NextTokenLoss(2)(losses[rows], batch(mask[rows], [0] * size, count / len(parts)))[0] for rows in parts
        ]
        mean = torch.stack(values).mean()  # as the engine averages
        torch.testing.assert_close(mean.double(), losses[mask].mean(), rtol=1e-6, atol=0)
        (gradient,) = torch.autograd.grad(mean, losses)
        torch.testing.assert_close(gradient, mask.double() / count, rtol=1e-6, atol=0)


def test_without_a_mask_every_label_counts() -> None:
    losses = torch.arange(8.0).view(2, 4)
    value, sums = NextTokenLoss(3)(losses, batch(None, [2, 0], 8))
    assert float(value) == float(losses.mean())
    assert sums["tokens"].tolist() == [4, 0, 4]
    assert sums["loss_sum"].tolist() == [4 + 5 + 6 + 7, 0, 0 + 1 + 2 + 3]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents of 1 to 9 tokens, the end token counted."""
    prefix = tmp_path_factory.mktemp("source") / "web"
    with IndexWriter(prefix, vocab_size=1_000) as writer:
        for number in range(60):
            writer.add([*range(number * 9 + 1, number * 9 + 1 + number % 9), END])
    return prefix


def chunked(source: Path, *, apart: bool = False, loss_on_end: bool = True) -> list[TrainingRow]:
    rows = ChunkRows(Chunks(source, "web", 16, seed=1), END, documents_apart=apart, loss_on_end=loss_on_end)
    return [rows[sample] for sample in range(40)]


def test_without_loss_on_the_end_exactly_the_end_tokens_positions_are_left_out(source: Path) -> None:
    for row, whole in zip(chunked(source, loss_on_end=False), chunked(source), strict=True):
        assert whole.mask is None
        assert whole.labels_that_count == 16
        assert row.mask is not None
        assert np.array_equal(row.tokens, whole.tokens) and np.array_equal(row.labels, whole.labels)
        assert np.array_equal(np.flatnonzero(~row.mask), np.flatnonzero(row.tokens == END))
        assert END in row.labels[row.mask]  # that the end is predicted counts
        assert row.labels_that_count == 16 - np.count_nonzero(row.tokens == END)


def test_documents_apart_and_loss_on_the_end_are_two_things(source: Path) -> None:
    for row in chunked(source, apart=True):
        assert row.mask is None
        assert row.ends is not None
        assert set(np.flatnonzero(row.tokens == END) + 1) == {*row.ends} - ({16} if row.tokens[-1] != END else set())


def test_packed_rows_count_every_label_inside_a_document_once_an_epoch(source: Path) -> None:
    pack_source(source, source.with_name("packed"), PackSettings(16))
    rows = PackRows(source.with_name("packed"), "web", 16, END, seed=1)
    epoch = range(len(PackedSequences(source.with_name("packed"), 16, END)))
    assert len({rows.place(sample) for sample in epoch}) == len(epoch)
    counted = sum(rows[sample].labels_that_count for sample in epoch)
    assert counted == sum(number % 9 for number in range(60))
