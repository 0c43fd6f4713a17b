"""Micro batches of a blend of masked rows on each data-parallel rank: blend_worker.py OUT MICRO_BATCH_SIZE ..."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data_prep.api import Sample, TrainingRow
from prism.megatron.blend import BlendedBatches, SourceBatch
from prism.megatron.parallel import Layout, gather_over_data_parallel, is_first_rank, process_groups
from prism.train.loss import NextTokenLoss

GLOBAL, LENGTH, STEPS = 8, 6, 3


class MaskedRows:
    """Row k holds tokens k x LENGTH, ...; some rows have all labels, some a few, every fifth none."""

    names = ("web", "math", "code")

    def __len__(self) -> int:
        return GLOBAL * STEPS

    def __getitem__(self, sample: int) -> Sample[TrainingRow]:
        tokens = np.arange(sample * LENGTH, (sample + 1) * LENGTH)
        ends = np.array([2, LENGTH], np.int32)
        return Sample(sample % 3, sample // 3, TrainingRow(tokens, tokens + 1, mask_of(sample), ends))


def mask_of(sample: int) -> NDArray[np.bool_]:
    share = 0.0 if sample % 5 == 4 else (sample % 4 + 1) / 4
    return np.random.default_rng(sample).random(LENGTH) < share


def losses_of(tokens: Tensor) -> Tensor:
    """What a model might say of each token: unlike each other, some far larger than the rest."""
    return (tokens.double() * 12.9898).sin().exp() ** 3


@dataclass(frozen=True)
class Seen:
    """A micro batch: its samples, what it says of labels, and the loss and sums of it."""

    samples: list[int]
    masks: list[list[bool]]
    ends: list[int]
    labels_a_batch: float
    loss: float
    loss_sum: list[float]
    tokens: list[float]


def seen(batch: SourceBatch) -> Seen:
    assert batch.mask is not None and batch.ends is not None
    loss, sums = NextTokenLoss(len(MaskedRows.names))(losses_of(batch.tokens), batch)
    return Seen(
        samples=(batch.tokens[:, 0] // LENGTH).tolist(),
        masks=batch.mask.tolist(),
        ends=list(batch.ends),
        labels_a_batch=batch.labels_a_batch,
        loss=float(loss),
        loss_sum=sums["loss_sum"].tolist(),
        tokens=sums["tokens"].tolist(),
    )


def observe(micro_batch_size: int) -> list[list[Seen]]:
    """This rank's micro batches, step by step."""
    batches = BlendedBatches(MaskedRows(), micro_batch_size, GLOBAL)
    return [[seen(batch) for batch in batches.global_batch(step)] for step in range(STEPS)]


def main() -> None:
    out, *sizes = sys.argv[1:]
    with process_groups(Layout(), seed=1):
        found = {}
        for size in sizes:
            steps = [[asdict(batch) for batch in step] for step in observe(int(size))]
            found[size] = gather_over_data_parallel(steps)
        if is_first_rank():
            Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
