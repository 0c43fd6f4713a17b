"""Deduplication as datatrove steps: keys of every unit, comparison in parts, and the drop.

A document is dropped when an earlier one, in the order of units and within them, is its duplicate. What is found
depends neither on the number of workers nor on their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep
from numpy.typing import NDArray

from data_prep.dedup.minhash_kernel import near_earlier
from data_prep.dedup.signatures import LEAST_AGREEMENT, Kind, Signer, signer
from data_prep.dedup.store import (
    DedupReport,
    UnitKeys,
    combine_found,
    keys_between,
    read_drops,
    save_found,
    sketches_of,
    unit_documents,
)
from data_prep.errors import DataError

Run = Callable[[str, Sequence[PipelineStep], int], None]
"""Runs a named pipeline as so many tasks, and waits."""

_AT_ONCE = 4_000_000
"""Documents that one part of the comparison holds, about 200 MB."""
_SKETCHES_AT_ONCE = 500_000
_MOST_COMPARED = 64


def find_duplicates(kind: Kind, steps: Sequence[PipelineStep], folder: Path, units: int, run: Run) -> DedupReport:
    """Looks for duplicates among the documents that `steps` yield, a unit a task; `DropDuplicates` drops them.

    Raises:
        DataError: a step's, or a unit left no keys.
    """
    run("dedup-keys", [*steps, CollectSignatures(kind, folder)], units)
    documents = unit_documents(folder, units)
    slices = -(-sum(documents) // _AT_ONCE) or 1
    parts = slices * signer(kind).keys
    run("dedup-compare", [FindDuplicates(kind, folder, units, slices)], parts)
    return combine_found(folder, kind, parts, documents)


class CollectSignatures(PipelineStep):  # type: ignore[misc]
    """First pass: writes the keys of the unit's documents. Ends the pipeline."""

    type = "dedup"
    name = "dedup: keys"

    def __init__(self, kind: Kind, folder: Path) -> None:
        super().__init__()
        self._kind = kind
        self._folder = folder

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        keys = UnitKeys(signer(self._kind))
        for document in data:
            keys.add(document.text)
        keys.save(self._folder, rank)
        self.stat_update("documents", value=keys.documents)
        yield from ()


class FindDuplicates(PipelineStep):  # type: ignore[misc]
    """Compares documents that share a key: a task takes one of their keys, and one slice of its values."""

    type = "dedup"
    name = "dedup: compare"

    def __init__(self, kind: Kind, folder: Path, units: int, slices: int) -> None:
        super().__init__()
        self._kind = kind
        self._folder = folder
        self._units = units
        self._slices = slices

    def run(self, data: DocumentsPipeline = None, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        row, part = divmod(rank, self._slices)
        first, last = ((part + end << 64) // self._slices - end for end in (0, 1))
        gathered = [keys_between(self._folder, unit, row, first, last) for unit in range(self._units)]
        keys = np.concatenate([keys for keys, _ in gathered])
        numbers = np.concatenate([numbers for _, numbers in gathered])
        del gathered
        order = np.argsort(keys, kind="stable")  # stable: documents with one key stay in their order
        keys, numbers = keys[order], numbers[order]
        found = _duplicates(keys, numbers, signer(self._kind), self._folder)
        save_found(self._folder, rank, world_size, np.unique(found))
        yield from ()


class DropDuplicates(PipelineStep):  # type: ignore[misc]
    """Second pass: drops what `find_duplicates` found. The same documents must come as in the first."""

    type = "dedup"
    name = "dedup"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        drops, expected = read_drops(self._folder, rank)
        duplicates = iter(drops.tolist())
        duplicate = next(duplicates, None)
        count = 0
        for position, document in enumerate(data):
            count += 1
            if position == duplicate:
                duplicate = next(duplicates, None)
                self.stat_update("dropped", "dropped: duplicate")
            else:
                yield document
        if count != expected:
            raise DataError(
                f"unit {rank} has {count:,} documents, it had {expected:,} when duplicates were looked for",
                place=str(self._folder),
                remedy="the source's files have changed: delete the work folder and run again",
            )


def _duplicates(
    keys: NDArray[np.uint64], numbers: NDArray[np.uint64], signed: Signer, folder: Path
) -> NDArray[np.uint64]:
    """Numbers of documents with an earlier duplicate; `keys` is sorted."""
    as_before = np.zeros(len(keys) + 1, np.bool_)
    as_before[1:-1] = keys[1:] == keys[:-1]
    if not signed.sketch:
        return numbers[as_before[:-1]]
    shared = as_before[:-1] | as_before[1:]
    numbers, begins = numbers[shared], ~as_before[:-1][shared]
    found = [np.empty(0, np.uint64)]
    for starts in _some_groups(np.flatnonzero(begins), len(numbers)):
        some = numbers[starts[0] : starts[-1]]
        sketches = sketches_of(folder, some, signed.sketch)
        found.append(some[near_earlier(starts - starts[0], sketches, LEAST_AGREEMENT, _MOST_COMPARED)])
    return np.concatenate(found)


def _some_groups(starts: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Starts of whole groups, and the end of the last, for about `_SKETCHES_AT_ONCE` documents at a time."""
    bounds = np.append(starts, size)
    first = 0
    while first < len(starts):
        last = int(np.searchsorted(bounds, bounds[first] + _SKETCHES_AT_ONCE))
        last = min(max(last, first + 1), len(starts))
        yield bounds[first : last + 1]
        first = last
