"""From locks to the samples of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from data_prep.blend.lock import Lock, LockedSource
from data_prep.blend.order import BlendOrder, blend_order, read_order, write_order
from data_prep.dataset.blended import BlendedDataset, Segment
from data_prep.dataset.chunks import Chunks
from data_prep.dataset.training import ChunkRows, PackRows, TrainingRow
from data_prep.errors import DataError, UsageError
from data_prep.files import fingerprint


def open_samples(
    locks: Sequence[tuple[int, Lock]],
    orders: Path,
    *,
    length: int,
    samples: int,
    end_id: int,
    documents_apart: bool = False,
    loss_on_end: bool = True,
) -> BlendedDataset[TrainingRow]:
    """The samples of a run over one blend, or over blends that follow each other.

    Args:
        locks: (first sample, verified lock), by rising sample, the first at 0.
        orders: folder of written orders.
        length: tokens of a sample.

    Raises:
        UsageError: packs have another size than `length`, or the locks have different seeds.
        DataError: two locks name different files for one source.
    """
    found: dict[str, LockedSource] = {}
    for _start, lock in locks:
        if lock.capacity not in (None, length) or lock.seed != locks[0][1].seed:
            raise UsageError(
                f"blend {lock.blend} was locked for packs of {lock.capacity} tokens and seed {lock.seed}",
                place=f"sequence length {length}, seed {locks[0][1].seed}",
                remedy="run `prism data prepare` with this recipe",
            )
        for source in lock.sources:
            if source.bin_hash != found.setdefault(source.name, source).bin_hash:
                raise DataError(
                    f"blends name different files as {source.name}",
                    place=str(source.prefix),
                    remedy="lock both blends again: `prism data prepare`",
                )
    lock = locks[0][1]

    def rows(source: LockedSource) -> PackRows | ChunkRows:
        if lock.capacity is not None:
            return PackRows(source.prefix, source.name, length, end_id, lock.seed)
        chunks = Chunks(source.prefix, source.name, length, lock.seed)
        return ChunkRows(chunks, end_id, documents_apart=documents_apart, loss_on_end=loss_on_end)

    segments = [
        Segment(
            start,
            tuple(source.name for source in lock.sources),
            order_of([source.weight_percent for source in lock.sources], samples - start, orders),
        )
        for start, lock in locks
    ]
    return BlendedDataset({name: rows(source) for name, source in found.items()}, segments, samples)


def order_of(weights: Sequence[float], samples: int, folder: Path) -> BlendOrder:
    """The order of a blend, from `folder` if it was written there for so many samples, else computed and written."""
    path = folder / f"{fingerprint(list(weights))[:16]}.npy"
    if path.is_file():
        order = read_order(path)
        if len(order) >= samples:
            return order
    order = blend_order(weights, samples)
    with contextlib.suppress(OSError):  # a folder that can't be written to: computed again next time
        write_order(path, order)
    return order
