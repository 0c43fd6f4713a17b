"""Every rank's share of a global batch, and how labels that don't count change what a micro batch weighs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from data_prep.api import Sample, TrainingRow
from prism.megatron.blend import BlendedBatches
from prism.megatron.parallel import Layout
from prism.train.loss import NextTokenLoss
from tests.megatron.blend_worker import GLOBAL, LENGTH, STEPS, MaskedRows, Seen, losses_of, mask_of, observe
from tests.models.tiny_io import run

SIZES = [1, 2, 4]


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[list[list[Seen]]]]:
    """By micro batch size: each rank's micro batches, step by step."""
    out = tmp_path_factory.mktemp("blend") / "seen"
    run("tests.megatron.blend_worker", out, *SIZES, ranks=2)
    found = json.loads(out.read_text())
    return {
        int(size): [[[Seen(**batch) for batch in step] for step in rank] for rank in ranks]
        for size, ranks in found.items()
    }


def split(size: int, ranks: int, step: int, two: dict[int, list[list[list[Seen]]]]) -> list[list[Seen]]:
    """Micro batches of a step, rank by rank."""
    return [rank[step] for rank in two[size]] if ranks == 2 else [observe(size)[step]]


@pytest.mark.parametrize("size", SIZES)
def test_ranks_share_a_global_batch_without_gap_or_overlap(
    size: int, two_ranks: dict[int, list[list[list[Seen]]]], alone: Layout
) -> None:
    for ranks in (1, 2):
        for step in range(STEPS):
            shares = split(size, ranks, step, two_ranks)
            assert [len(share) for share in shares] == [GLOBAL // size // ranks] * ranks
            taken = [sample for share in shares for batch in share for sample in batch.samples]
            assert sorted(taken) == list(range(step * GLOBAL, (step + 1) * GLOBAL))


@pytest.mark.parametrize("size", SIZES)
def test_a_mask_stays_with_its_row(size: int, two_ranks: dict[int, list[list[list[Seen]]]]) -> None:
    batches = [batch for rank in two_ranks[size] for step in rank for batch in step]
    for batch in batches:
        assert batch.masks == [mask_of(sample).tolist() for sample in batch.samples]
        assert batch.ends == [2, LENGTH]


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("size", SIZES)
def test_the_loss_of_a_global_batch_is_the_mean_over_its_labels_that_count(
    size: int, ranks: int, two_ranks: dict[int, list[list[list[Seen]]]], alone: Layout
) -> None:
    for step in range(STEPS):
        batches = [batch for share in split(size, ranks, step, two_ranks) for batch in share]
        rows = [MaskedRows()[sample] for sample in range(step * GLOBAL, (step + 1) * GLOBAL)]
        losses = [losses_of(torch.from_numpy(row.item.tokens)).numpy()[row.item.mask] for row in rows]
        counted = np.concatenate(losses)
        assert np.mean([batch.loss for batch in batches]) == pytest.approx(counted.mean(), rel=1e-6)
        for source in range(3):
            of_source = np.concatenate([own for own, row in zip(losses, rows, strict=True) if row.source == source])
            assert sum(batch.tokens[source] for batch in batches) == len(of_source)
            assert sum(batch.loss_sum[source] for batch in batches) == pytest.approx(of_source.sum(), rel=1e-6)
        assert {batch.labels_a_batch for batch in batches} == {len(counted) * size / GLOBAL}


def test_rows_without_masks_make_a_batch_without_one(alone: Layout) -> None:
    class Whole:
        names = ("web",)

        def __len__(self) -> int:
            return GLOBAL

        def __getitem__(self, sample: int) -> Sample[TrainingRow]:
            tokens = np.full(LENGTH, sample)
            return Sample(0, sample, TrainingRow(tokens, tokens, None, None))

    for batch in BlendedBatches(Whole(), 2, GLOBAL).global_batch(0):
        assert batch.mask is None
        assert batch.ends is None
        assert batch.labels_a_batch == 2 * LENGTH


def test_a_global_batch_in_which_no_label_counts_has_a_loss_of_0(alone: Layout) -> None:
    class Nothing:
        names = ("web",)

        def __len__(self) -> int:
            return GLOBAL

        def __getitem__(self, sample: int) -> Sample[TrainingRow]:
            tokens = np.full(LENGTH, sample)
            return Sample(0, sample, TrainingRow(tokens, tokens, np.zeros(LENGTH, np.bool_), None))

    for batch in BlendedBatches(Nothing(), 2, GLOBAL).global_batch(0):
        loss, sums = NextTokenLoss(1)(torch.ones(2, LENGTH), batch)
        assert float(loss) == 0
        assert sums["tokens"].tolist() == [0]
