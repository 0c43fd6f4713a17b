"""From locks to the samples of a run."""

from __future__ import annotations

import contextlib
import tokenize
from collections.abc import Sequence
from pathlib import Path

from data_prep.blend.lock import LockedSource, verify_lock
from data_prep.blend.order import BlendOrder, blend_order, read_order, write_order
from data_prep.dataset.blended import BlendedDataset, Segment
from data_prep.dataset.chunks import Chunks
from data_prep.dataset.training import ChunkRows, PackRows, TrainingRow
from data_prep.errors import DataError, UsageError
from data_prep.files import fingerprint
from data_prep.schema import RunSamples, lock_name


def open_samples(directory: Path, run: RunSamples, end_id: int) -> BlendedDataset[TrainingRow]:
    """The samples of a run over one blend, or over blends that follow each other; their locks are verified first.

    Args:
        directory: the run's data folder.
        end_id: the end-of-document token.

    Raises:
        DataError: a locked file changed or is missing, or two locks name different files for one source.
        UsageError: the locks have different seeds.
    """
    blends = directory / "blends"
    locks = [(start, verify_lock(blends / lock_name(blend, run.packing))) for start, blend in run.blends]
    found: dict[str, LockedSource] = {}
    for _start, lock in locks:
        if lock.seed != locks[0][1].seed:
            raise UsageError(
                f"blend {lock.blend} was locked with seed {lock.seed}, {locks[0][1].blend} with {locks[0][1].seed}",
                place=str(blends),
                remedy="run `prism data prepare` with this recipe",
            )
        for source in lock.sources:
            if source.bin_hash != found.setdefault(source.name, source).bin_hash:
                raise DataError(
                    f"blends name different files as {source.name}",
                    place=str(source.prefix),
                    remedy="lock both blends again: `prism data prepare`",
                )
    seed = locks[0][1].seed

    def rows(source: LockedSource) -> PackRows | ChunkRows:
        if run.packing is not None:
            return PackRows(source.prefix, source.name, run.length, end_id, seed)
        chunks = Chunks(source.prefix, source.name, run.length, seed)
        return ChunkRows(chunks, end_id, documents_apart=run.documents_apart, loss_on_end=run.loss_on_end)

    ends = [*(start for start, _ in locks[1:]), run.samples]
    segments = [
        Segment(
            start,
            tuple(source.name for source in lock.sources),
            order_of([source.weight_percent for source in lock.sources], end - start, orders_folder(directory)),
        )
        for (start, lock), end in zip(locks, ends, strict=True)
    ]
    return BlendedDataset({name: rows(source) for name, source in found.items()}, segments, run.samples)


def order_path(weights: Sequence[float], folder: Path) -> Path:
    """Where the order of a blend with these weights is written."""
    return folder / f"{fingerprint(list(weights))[:16]}.npy"


def orders_folder(directory: Path) -> Path:
    """Where a data folder keeps the written orders of its blends."""
    return directory / "blends" / "orders"


def order_of(weights: Sequence[float], samples: int, folder: Path) -> BlendOrder:
    """The order of a blend, from `folder` if it was written there for so many samples, else computed and written."""
    path = order_path(weights, folder)
    if path.is_file():
        with contextlib.suppress(ValueError, SyntaxError, EOFError, OSError, tokenize.TokenError):  # damaged
            order = read_order(path)
            if len(order) >= samples:
                return order
    order = blend_order(weights, samples)
    with contextlib.suppress(OSError):  # a folder that can't be written to: computed again next time
        write_order(path, order)
    return order
