"""Samples of a blend, or of blends that follow each other, by their number in the run."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from data_prep.blend.order import BlendOrder

Item = TypeVar("Item", covariant=True)


class SampleSource(Protocol[Item]):
    """An endless sequence of samples."""

    def __getitem__(self, sample: int) -> Item: ...


@dataclass(frozen=True)
class Segment:
    """`order` rules from sample `start` of the run on; `names` are its sources, as the order numbers them."""

    start: int
    names: tuple[str, ...]
    order: BlendOrder


@dataclass(frozen=True)
class Sample(Generic[Item]):
    """`source` is its number among the dataset's names; `number` says which of the source's samples it is."""

    source: int
    number: int
    item: Item


class BlendedDataset(Generic[Item]):
    """Sample i of a run. When the blend changes, each source goes on where it was: nothing is repeated or skipped.

    Args:
        sources: by name; all that the segments name.
        segments: by rising start, the first at 0.
        samples: how many the run has.
    """

    def __init__(self, sources: Mapping[str, SampleSource[Item]], segments: Sequence[Segment], samples: int) -> None:
        self.names = tuple(sources)
        self._sources = list(sources.values())
        self._segments = list(segments)
        self._starts = [segment.start for segment in segments]
        self._samples = samples
        self._numbers = [[self.names.index(name) for name in segment.names] for segment in segments]
        self._before = [np.zeros(len(self.names), np.int64)]
        for index, segment in enumerate(segments[:-1]):
            taken = segment.order.totals(self._starts[index + 1] - segment.start)
            before = self._before[-1].copy()
            before[self._numbers[index]] += taken
            self._before.append(before)

    def __len__(self) -> int:
        return self._samples

    def place(self, sample: int) -> tuple[int, int]:
        """(source, which of the source's samples) of sample `sample` of the run."""
        if not 0 <= sample < self._samples:
            raise IndexError(f"sample {sample} of {self._samples}")
        index = bisect_right(self._starts, sample) - 1
        within, number = self._segments[index].order[sample - self._starts[index]]
        source = self._numbers[index][within]
        return source, int(self._before[index][source]) + number

    def __getitem__(self, sample: int) -> Sample[Item]:
        source, number = self.place(sample)
        return Sample(source, number, self._sources[source][number])

    def taken(self) -> NDArray[np.int64]:
        """Samples that the run takes from each source."""
        counts = self._before[-1].copy()
        last = self._segments[-1]
        counts[self._numbers[-1]] += last.order.totals(self._samples - last.start)
        return counts
