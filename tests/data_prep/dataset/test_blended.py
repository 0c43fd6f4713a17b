"""A run's samples over blends that follow each other, proven by counting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from data_prep.blend.order import blend_order
from data_prep.dataset import BlendedDataset, Segment


class Numbers:
    """A source whose sample k is k."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, sample: int) -> tuple[str, int]:
        return self.name, sample


def dataset(*blends: tuple[int, dict[str, float]], samples: int) -> BlendedDataset[tuple[str, int]]:
    names = dict.fromkeys(name for _, weights in blends for name in weights)
    segments = [
        Segment(start, tuple(weights), blend_order(list(weights.values()), samples - start))
        for start, weights in blends
    ]
    return BlendedDataset({name: Numbers(name) for name in names}, segments, samples)


def counted(items: Sequence[tuple[str, int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for name, number in items:
        found.setdefault(name, []).append(number)
    return found


def test_blends_that_follow_each_other_neither_repeat_nor_skip_a_sample() -> None:
    run = dataset(
        (0, {"web": 70, "math": 30}),
        (5_001, {"math": 50, "code": 25, "web": 25}),
        (12_345, {"code": 90, "web": 10}),
        samples=20_000,
    )
    items = [run[sample].item for sample in range(len(run))]
    for name, numbers in counted(items).items():
        assert numbers == list(range(len(numbers))), name
    assert {name: int(count) for name, count in zip(run.names, run.taken(), strict=True)} == dict(
        Counter(name for name, _ in items)
    )


def test_every_segment_has_its_own_shares() -> None:
    run = dataset((0, {"web": 70, "math": 30}), (10_000, {"web": 10, "math": 90}), samples=20_000)
    sources = np.array([run.place(sample)[0] for sample in range(20_000)])
    assert abs(int((sources[:10_000] == 0).sum()) - 7_000) <= 1
    assert abs(int((sources[10_000:] == 0).sum()) - 1_000) <= 1


def test_beyond_the_run_there_is_nothing() -> None:
    with pytest.raises(IndexError):
        dataset((0, {"web": 1}), samples=5)[5]
